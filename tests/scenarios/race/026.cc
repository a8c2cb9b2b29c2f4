// What: a write into preallocated blocks against reads, one of them after it has returned.
// Why: a write that returns before its blocks are converted leaves a gap in which a read finds them unwritten, and zeros (Linux
// dccaf33fa37a).
// Operations: fallocate in the setup; pwrite of two blocks, then pread by the same task; two pread by another.
// Invariant: a read is zeros or the written bytes, all of them; after the write has returned only those.
// Groups: auto prealloc. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.allocate(task(), 0, 4 * block());
  }
  void writer(vfs::task& me) {
    file.write(me, block(), 2 * block(), 1);
    file.read(me, 0, 4 * block());
  }
  void reader(vfs::task& me) {
    file.read(me, 0, 4 * block());
    file.read(me, 0, 4 * block());
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto prealloc", "what a write returned for is there", {"writer", &scene::writer}, {"reader", &scene::reader})
