// What: an extending write of three slices against a commit, and the power fails.
// Why: between two slices a commit takes blocks that the size does not cover yet; the orphan list says that they go, and the size comes when all
// bytes are in place (Linux: ext4_handle_inode_extension; __xip_file_write had no such record).
// Operations: pwrite of three blocks, the middle one preallocated behind the end; syncfs.
// Invariant: after a crash the file is empty or has all of the bytes, and e2fsck finds no block behind its end.
// Groups: auto sync. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;
  int other = -1;

  void setup() {
    fill_free_blocks(*this);
    file = observe("file", 1);
    file.allocate(task(), block(), block(), true);
    other = create("other");
  }
  void writer(vfs::task& me) { file.write(me, 0, 3 * block(), 1); }
  void syncer(vfs::task& me) { must(me.syncfs(other)); }
  void recovered(vfs::task& me) {
    if (must(me.stat("/file")).size == 0) return;
    expect_words(*this, me, "/file", 0, 3 * block(), 1, {1}, false);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto sync", "a crash in an extending write", {"writer", &scene::writer}, {"syncer", &scene::syncer})
