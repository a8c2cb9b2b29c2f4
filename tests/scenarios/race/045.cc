// What: two files that grow into the last blocks of the disk.
// Why: each allocation looks before it takes: of two that see the same free block one has to look again, and a short write gives back what
// it did not use (Linux: ext4_mb_new_blocks, ext4_inode_extension_cleanup).
// Operations: pwrite of three blocks; pwrite of three blocks to the other, with three or four free.
// Invariant: each write counts what it stored, and no block is lost.
// Groups: auto enospc. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file, other;
  std::uint64_t free = 0;

  void setup() {
    file = observe("file", 1);
    other = observe("other", 2);
    leave_free(*this, 3);
    free = must(task().statfs(".")).bfree;
  }
  void first(vfs::task& me) { file.write(me, 0, 3 * block(), 1); }
  void second(vfs::task& me) { other.write(me, 0, 3 * block(), 1); }
  void check() {
    const loff_t stored = must(task().fstat(file.fd())).size + must(task().fstat(other.fd())).size;
    expect(stored >= 3 * block(), "what is free is used");
    expect_equal(must(task().statfs(".")).bfree, free - static_cast<std::uint64_t>(stored) / block(), "free blocks behind both");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto enospc", "two files and the last blocks", {"first", &scene::first}, {"second", &scene::second})
