// What: a write into a hole, a truncate of the same file, and an fsync.
// Why: the file is locked before a handle is opened. A write that waits for the lock with its handle open keeps the commit waiting, the commit
// keeps new handles waiting, and the truncate that has the lock waits for one (Linux: ext4_dax_write_iter, jbd2_journal_lock_updates).
// Operations: pwrite of the second block; ftruncate to three blocks; fsync of another file.
// Invariant: all return.
// Groups: auto locks sync. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;
  int other = -1;

  void setup() {
    file = observe("file", 1);
    file.truncate(task(), 4 * block());
    other = create("other");
  }
  void writer(vfs::task& me) { file.write(me, block(), block(), 1); }
  void cutter(vfs::task& me) { file.truncate(me, 3 * block()); }
  void syncer(vfs::task& me) { must(me.fsync(other)); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto locks sync", "a write, a truncate and a commit", {"writer", &scene::writer}, {"cutter", &scene::cutter},
         {"syncer", &scene::syncer})
