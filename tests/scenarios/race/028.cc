// What: two unaligned writes in one preallocated block, overlapping.
// Why: the head and the tail of an unwritten block are zeroed by whoever writes into it first, and nobody else (Linux 57a0da28ced8).
// Operations: fallocate in the setup; pwrite of 1,000 bytes and pwrite of 1,000 bytes of which 300 are the same; pread of the block.
// Invariant: where they overlap one of them has won, everywhere; the rest of the block is zero.
// Groups: auto prealloc. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.allocate(task(), 0, 2 * block());
  }
  void first(vfs::task& me) { file.write(me, 333, 1000, 1); }
  void second(vfs::task& me) {
    file.write(me, 1033, 1000, 2);
    file.read(me, 0, block());
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto prealloc", "two unaligned writes in one unwritten block", {"first", &scene::first}, {"second", &scene::second})
