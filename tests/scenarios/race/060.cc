// What: a rename against look-ups of both names.
// Why: the new name is there before the old one goes, for whoever looks at them in that order (Linux: vfs_rename, d_move).
// Operations: rename of a file; stat of the old name, then of the new one; open of the new one.
// Invariant: who misses the old name finds the new one; what is opened is the file.
// Groups: auto rename. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  std::uint64_t ino = 0;

  void setup() { ino = must(task().fstat(create("old"))).ino; }
  void mover(vfs::task& me) { must(me.rename("old", "new")); }
  void looker(vfs::task& me) {
    if (const auto there = me.stat("old")) return expect_equal(there->ino, ino, "the file under its old name");
    expect_equal(must(me.stat("new")).ino, ino, "the file under its new name");
  }
  void opener(vfs::task& me) {
    const auto fd = me.open("new", O_RDONLY);
    if (!fd) return expect_errno(fd, ENOENT);
    expect_equal(must(me.fstat(*fd)).ino, ino, "what was opened");
  }
  void check() { expect_errno(task().stat("old"), ENOENT); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rename", "rename against look-ups", {"mover", &scene::mover}, {"looker", &scene::looker}, {"opener", &scene::opener})
