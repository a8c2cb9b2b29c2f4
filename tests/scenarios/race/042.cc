// What: the same with a commit on the way: blocks are had again only once it has come to its end.
// Why: see race/041; here the write-back of the metadata stands between freeing a block and using it again, and the device's flush behind
// it.
// Operations: ftruncate to 0; fsync of a third file; pwrite of three blocks to another file, on a disk that has one block left.
// Invariant: the write counts no more than the free block where the truncate or the commit came too late, and all bytes are right.
// Groups: auto enospc. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file, other, third;

  void setup() {
    file = observe("file", 1);
    other = observe("other", 2);
    third = observe("third", 3);
    file.write(task(), 0, 3 * block(), 1);
    leave_free(*this, 1);
    must(task().fsync(file.fd()));
  }
  void cutter(vfs::task& me) { file.truncate(me, 0); }
  void syncer(vfs::task& me) { must(me.fsync(third.fd())); }
  void taker(vfs::task& me) { other.write(me, 0, 3 * block(), 1); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto enospc", "a commit between a free and an allocation", {"cutter", &scene::cutter}, {"syncer", &scene::syncer},
         {"taker", &scene::taker})
