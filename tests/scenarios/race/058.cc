// What: a truncate against a commit, and the power fails.
// Why: the size moves before any block is freed, and the orphan list says what is still to be cut (Linux: ext4_setattr, ext4_truncate).
// Operations: ftruncate of a file of three blocks to one and a half; syncfs.
// Invariant: after a crash the file has its old size and all bytes, or the new size and the bytes before it. With the old size, what was cut off
// of a block that stays may be zeros: it is zeroed in its place, as Linux does on DAX.
// Groups: auto sync. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;
  int other = -1;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 3 * block(), 1);
    other = create("other");
  }
  [[nodiscard]] loff_t cut() const { return block() + block() / 2; }
  void cutter(vfs::task& me) { file.truncate(me, cut()); }
  void syncer(vfs::task& me) { must(me.syncfs(other)); }
  void recovered(vfs::task& me) {
    const loff_t size = must(me.stat("/file")).size;
    expect(size == cut() || size == 3 * loff_t{block()}, "the size is the old one or the new one");
    expect_words(*this, me, "/file", 0, static_cast<std::size_t>(cut()), 1, {1}, false);
    if (size == cut()) return;
    expect_words(*this, me, "/file", cut(), block() / 2, 1, {1});
    expect_words(*this, me, "/file", 2 * block(), block(), 1, {1}, false);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto sync", "a crash in a truncate", {"cutter", &scene::cutter}, {"syncer", &scene::syncer})
