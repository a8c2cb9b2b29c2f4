// The figures of mounts: an image of ours, a server that does nothing, and fuse2fs where there is one, side by side.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace xip::tool {

class mounted_directory;

class mount_bed {
 public:
  // Everything lies in DIRECTORY, which exists, and goes with the bed.
  explicit mount_bed(const std::string& directory);
  ~mount_bed();
  mount_bed(const mount_bed&) = delete;
  mount_bed& operator=(const mount_bed&) = delete;

  // Says so where the host has no FUSE.
  void register_all();

 private:
  void pages(benchmark::State& state, mounted_directory& baseline, bool writing);
  void stream(benchmark::State& state, mounted_directory& baseline, bool writing);
  void names(benchmark::State& state, mounted_directory& baseline, bool creating);

  const std::string directory_;
  std::vector<std::uint32_t> order_;  // of the file's pages
  std::unique_ptr<mounted_directory> xip_, null_, fuse2fs_;
  bool ready_ = false;
};

}  // namespace xip::tool
