// What: a read against a truncate of its range and new blocks in it.
// Why: nothing stood between a read and the blocks that were freed: the copy went on in stale or foreign blocks (Linux 730633f0b7f9, d4f5258eae7b; by a
// punch: race/117).
// Operations: pread of the two last blocks; ftruncate to one block, fsync, then pwrite of the blocks behind it; pwrite of one block to another
// file.
// Invariant: the read is old bytes, nothing, or new bytes, never a mixture and never the other file's.
// Groups: auto rw. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file, other;

  void setup() {
    file = observe("file", 1);
    other = observe("other", 2);
    file.write(task(), 0, 3 * block(), 1);
  }
  void reader(vfs::task& me) { file.read(me, block(), 2 * block()); }
  void changer(vfs::task& me) {
    file.truncate(me, block());
    must(me.fsync(file.fd()));  // from here on the blocks may be had again
    file.write(me, block(), 2 * block(), 2);
  }
  void taker(vfs::task& me) { other.write(me, 0, block(), 1); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rw", "a read against a truncate and new blocks", {"reader", &scene::reader}, {"changer", &scene::changer},
         {"taker", &scene::taker})
