// What: two files that grow into the last blocks of the disk.
// Why: each allocation looks before it takes: of two that see the same free block one has to look again, and a short write gives back what
// it did not use (Linux: ext4_mb_new_blocks, ext4_inode_extension_cleanup).
// Operations: pwrite of two blocks; pwrite of two blocks, with three free.
// Invariant: each write counts what it stored, and no block is lost.
// Groups: auto enospc. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file, other;

  void setup() {
    file = observe("file", 1);
    other = observe("other", 2);
    leave_free(*this, 3);
  }
  void first(vfs::task& me) { file.write(me, 0, 2 * block(), 1); }
  void second(vfs::task& me) { other.write(me, 0, 2 * block(), 1); }
  void check() {
    const auto stored = static_cast<std::uint64_t>(must(task().fstat(file.fd())).size + must(task().fstat(other.fd())).size);
    expect_equal(stored, 3 * block(), "all that is free is used");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto enospc", "two files and the last blocks", {"first", &scene::first}, {"second", &scene::second})
