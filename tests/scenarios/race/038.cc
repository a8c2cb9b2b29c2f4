// What: fsync against a truncate that frees blocks.
// Why: between the handles of a truncate a commit may take what there is: the orphan list has to tell the rest (Linux: ext4_truncate,
// ext4_orphan_add).
// Operations: fsync; ftruncate to 10 bytes, then ftruncate to two blocks; pwrite to another file, with O_DSYNC.
// Invariant: all return; bytes behind the cut are zeros; the image is whole.
// Groups: auto sync. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;
  int other = -1;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 3 * block(), 1);
    other = must(task().open("other", O_RDWR | O_CREAT | O_DSYNC, 0644));
  }
  void syncer(vfs::task& me) { must(me.fsync(file.fd())); }
  void cutter(vfs::task& me) {
    file.truncate(me, 10);
    file.truncate(me, 2 * block());
  }
  void writer(vfs::task& me) { put(me, other, 0, 500, {.file = 2}); }
  void check() { expect_data(task(), other, 0, 500, {.file = 2}); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto sync", "fsync against truncate", {"syncer", &scene::syncer}, {"cutter", &scene::cutter}, {"writer", &scene::writer})
