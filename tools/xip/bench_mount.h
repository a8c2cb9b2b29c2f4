// The figures of mounts: an image of ours, a server that does nothing, and fuse2fs where there is one, side by side.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

namespace xip::tool {

// What a mount of an image is timed beside: a server that does nothing, or fuse2fs with no options.
enum class mount_baseline { null, fuse2fs };

class mount_bed {
 public:
  // Everything lies in DIRECTORY, which exists, and goes with the bed. Nothing is made before a benchmark needs it.
  explicit mount_bed(const std::string& directory);
  ~mount_bed();
  mount_bed(const mount_bed&) = delete;
  mount_bed& operator=(const mount_bed&) = delete;

  // Says so where the host has no FUSE.
  void register_all();

 private:
  [[nodiscard]] const std::string& image(std::string_view name);
  template <class Body>
  void on_mounts(benchmark::State& state, mount_baseline baseline, bool direct_io, Body&& body);
  void pages(benchmark::State& state, mount_baseline baseline, bool writing);
  void stream(benchmark::State& state, mount_baseline baseline, bool writing, bool direct_io);
  void appends(benchmark::State& state, mount_baseline baseline, bool syncing);
  template <class Make>
  void names(benchmark::State& state, mount_baseline baseline, bool making, Make&& make);
  template <class Operation>
  void calls(benchmark::State& state, mount_baseline baseline, Operation&& operation);
  void renames(benchmark::State& state, mount_baseline baseline);
  void listings(benchmark::State& state, mount_baseline baseline, bool cold);
  template <class Add>
  void register_contents(Add&& add);
  template <class Add>
  void register_names(Add&& add);

  const std::string directory_;
  std::vector<std::uint32_t> order_;  // of the file's pages
  std::deque<std::string> images_;    // that were made
};

}  // namespace xip::tool
