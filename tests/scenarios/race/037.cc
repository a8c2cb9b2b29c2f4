// What: fsync against an extending write and a read.
// Why: a commit waits for open handles, and nobody with a handle may wait for the commit (Linux: jbd2_journal_commit_transaction,
// ext4_sync_file).
// Operations: fsync, then fdatasync; pwrite into the second block of a file of one; pread.
// Invariant: all return, none with an error; the read sees the write as a whole or not at all.
// Groups: auto sync. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 1000, 1);
  }
  void syncer(vfs::task& me) {
    must(me.fsync(file.fd()));
    must(me.fdatasync(file.fd()));
  }
  void writer(vfs::task& me) { file.write(me, 500, block() + 500, 2); }
  void reader(vfs::task& me) { file.read(me, 0, 2 * block()); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto sync", "fsync against an extending write", {"syncer", &scene::syncer}, {"writer", &scene::writer},
         {"reader", &scene::reader})
