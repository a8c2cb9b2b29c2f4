// What: a write of two slices into preallocated blocks against a commit, and the power fails.
// Why: a block becomes readable when its bytes are on the medium, not before: a commit between the two slices makes it so for good (Linux: the
// order of dax_io in 4.0 and its callback; 06bd3c36a733).
// Operations: pwrite of two blocks, one of them preallocated and one in a hole; syncfs.
// Invariant: after a crash each word is zero or written, never what the blocks held before.
// Groups: auto sync prealloc. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;
  int other = -1;

  void setup() {
    fill_free_blocks(*this);
    file = observe("file", 1);
    file.truncate(task(), 4 * block());
    file.allocate(task(), block(), block());
    other = create("other");
  }
  void writer(vfs::task& me) { file.write(me, block(), 2 * block(), 1); }
  void syncer(vfs::task& me) { must(me.syncfs(other)); }
  void recovered(vfs::task& me) { expect_words(*this, me, "/file", 0, 4 * block(), 1, {1}); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto sync prealloc", "a crash between two slices of a write", {"writer", &scene::writer}, {"syncer", &scene::syncer})
