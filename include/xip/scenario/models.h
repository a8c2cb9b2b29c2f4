// Random operations against a model in memory: one file in the manner of fsx, a tree of files in the manner of fsstress.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <xip/scenario/random.h>
#include <xip/scenario/run.h>

namespace xip::scenario {

struct fsx_options {
  std::string_view path = "fsx";
  unsigned operations = 3000;
  std::size_t max_size = 256 * 1024;  // bytes of the file, at most
  std::size_t max_io = 64 * 1024;     // bytes of one call, at most
  unsigned cycle_every = 0;           // unmount and mount after so many operations, on average; 0: never
  std::string_view mount = {};        // options for every second of these mounts
  int open_flags = 0;                 // O_DIRECT, O_DSYNC ...
  bool preallocate = true;            // and zero, collapse and insert ranges
  bool mapped = true;                 // loads and stores through mappings, too, where the file can be mapped
  std::uint64_t stream = 0;           // which stream of the run's chance
};
// Reads, writes, appends, truncates, preallocates, punches, zeros, collapses, inserts, seeks and syncs one file, and loads and stores through mappings of it; every
// byte that comes back is compared with the model. A failure lists the operations before it.
void run_fsx(run& t, const fsx_options& options);

// A tree below ROOT, made and changed by one task. Several may work side by side on trees of their own.
class tree_model {
 public:
  tree_model(run& t, std::string root, random_source chance);

  void make_root(vfs::task& task);
  // One random operation, and what it must answer.
  void step(vfs::task& task);
  // Walks the whole tree: names, types, sizes, contents, and nothing else.
  void verify(vfs::task& task);
  // Removes everything, deepest first, and the root.
  void remove_all(vfs::task& task);
  [[nodiscard]] std::size_t entries() const noexcept { return nodes_.size(); }

 private:
  struct node {
    bool is_dir = false;
    std::vector<std::byte> data;
  };

  [[nodiscard]] std::string random_dir();
  [[nodiscard]] std::string random_file();
  [[nodiscard]] std::string full(const std::string& relative) const { return relative.empty() ? root_ : root_ + "/" + relative; }
  [[nodiscard]] bool has_children(const std::string& dir) const;
  void make_file(vfs::task& task);
  void make_dir(vfs::task& task);
  void write_file(vfs::task& task);
  void truncate_file(vfs::task& task);
  void remove_file(vfs::task& task);
  void remove_dir(vfs::task& task);
  void open_missing(vfs::task& task);
  void check_file(vfs::task& task, const std::string& name);
  void check_dir(vfs::task& task, const std::string& name);

  run& t_;
  std::string root_;
  random_source chance_;
  std::map<std::string, node> nodes_;  // by path below the root, which is not among them
  std::uint32_t made_ = 0;
};

}  // namespace xip::scenario
