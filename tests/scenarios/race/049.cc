// What: two writes that allocate, to two files.
// Why: one mutex for all files made whoever filled a hole wait for whoever else did, in any file of any mount (Linux: xip_sparse_mutex in
// mm/filemap_xip.c). What protects an allocation is taken for a few instructions, and nobody sleeps on it.
// Operations: pwrite of one block into a hole; pwrite of one block into a hole of the other file.
// Invariant: neither ever sleeps on a lock that the other holds (where lock checking is compiled in, which counts that).
// A block device has locks around its rings, so this is asked of direct access only.
// Groups: auto locks. Needs: DAX.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  static constexpr requirements needs{.dax = true};
  observed_file one, other;
  std::uint64_t before = 0;

  // Bitmaps and buffers that are read once are read here.
  void setup() {
    one = observe("one", 1);
    other = observe("other", 2);
    one.write(task(), 0, block(), 1);
    other.write(task(), 0, block(), 1);
    before = kernel().deps().contentions();
  }
  void first(vfs::task& me) { one.write(me, 2 * block(), block(), 2); }
  void second(vfs::task& me) { other.write(me, 2 * block(), block(), 2); }
  void check() { expect_equal(kernel().deps().contentions(), before, "waits for a lock"); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto locks", "two files that allocate at the same time", {"first", &scene::first}, {"second", &scene::second})
