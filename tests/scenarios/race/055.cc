// What: writes into preallocated blocks that are asked to last, by fdatasync and by O_DSYNC, and the power fails.
// Why: what makes the blocks readable is metadata that a data sync has to wait for (Linux 0929d8580071); O_SYNC meant nothing to the core of
// 2013 (xip_file_write called no generic_write_sync).
// Operations: pwrite of a block and fdatasync; pwrite of another block through a descriptor with O_DSYNC.
// Invariant: a crash after either has returned leaves its bytes; before, zeros or some of them, never what the blocks held before.
// Groups: auto sync prealloc. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  int fd = -1, dsync_fd = -1;
  bool synced = false, written_through = false;

  void setup() {
    fill_free_blocks(*this);
    fd = create("file");
    dsync_fd = must(task().open("file", O_WRONLY | O_DSYNC));
    must(task().fallocate(fd, 0, 0, 4 * block()));
  }
  void syncer(vfs::task& me) {
    put(me, fd, 0, block(), {.file = 1, .generation = 1});
    must(me.fdatasync(fd));
    synced = true;
    power_may_fail();
  }
  void writer(vfs::task& me) {
    put(me, dsync_fd, 2 * block(), block(), {.file = 1, .generation = 2});
    written_through = true;
    power_may_fail();
  }
  void recovered(vfs::task& me) {
    expect_words(*this, me, "/file", 0, block(), 1, {1}, !synced);
    expect_words(*this, me, "/file", 2 * block(), block(), 1, {2}, !written_through);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto sync prealloc", "what was synced is there after a crash", {"syncer", &scene::syncer}, {"writer", &scene::writer})
