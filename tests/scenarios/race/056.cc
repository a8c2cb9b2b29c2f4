// What: an overwrite by one task, an fsync by another that has seen it return, and the power fails.
// Why: a write drains before it lets go of the file, so that whoever syncs afterwards need not know who has written (Linux: dax_copy_from_iter,
// which goes past the cache; xip_file_write of 2013 left the bytes where the processor had them).
// Operations: pwrite of a block that is written already; fsync.
// Invariant: a crash after the fsync leaves the new bytes if the write had returned before it began; else each word is old or new.
// Groups: auto sync. Needs: nothing.
#include <atomic>

#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  int fd = -1;
  bool written = false, synced = false;

  void setup() {
    fd = create("file");
    put(task(), fd, 0, block(), {.file = 1, .generation = 1});
  }
  void writer(vfs::task& me) {
    put(me, fd, 0, block(), {.file = 1, .generation = 2});
    std::atomic_ref{written}.store(true);
  }
  void syncer(vfs::task& me) {
    const bool covers = std::atomic_ref{written}.load();
    must(me.fsync(fd));
    synced = covers;
    power_may_fail();
  }
  void recovered(vfs::task& me) {
    if (synced)
      expect_words(*this, me, "/file", 0, block(), 1, {2}, false);
    else
      expect_words(*this, me, "/file", 0, block(), 1, {1, 2}, false);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto sync", "an fsync of what somebody else has written", {"writer", &scene::writer}, {"syncer", &scene::syncer})
