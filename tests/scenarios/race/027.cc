// What: two unaligned writes in one block behind the end of the file.
// Why: each writer of a fresh block zeroed what it did not write itself, the other's bytes among it (Linux 57a0da28ced8, 372a03e01853).
// Operations: pwrite of 500 bytes and pwrite of 700 bytes, both in the second block of a file of 100 bytes; pread of all.
// Invariant: both leave their bytes, all else is zero, and a read sees neither, one or both, as whole writes.
// Groups: auto rw. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 100, 1);
  }
  void first(vfs::task& me) { file.write(me, block() + 100, 500, 2); }
  void second(vfs::task& me) { file.write(me, block() + 2000, 700, 3); }
  void reader(vfs::task& me) { file.read(me, 0, 2 * block()); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rw", "two unaligned writes in one new block", {"first", &scene::first}, {"second", &scene::second},
         {"reader", &scene::reader})
