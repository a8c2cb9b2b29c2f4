// What: a rename over an empty directory against making a name in that.
// Why: the directory that is replaced is locked as rmdir locks it (Linux: vfs_rename, lock_two_nondirectories and its kin).
// Operations: rename of a directory over another; mkdir in the other.
// Invariant: the rename says ENOTEMPTY, or what is made is made in the one that came, or refused.
// Groups: auto rename. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  bool moved = false, made = false;

  void setup() {
    must(task().mkdir("a", 0755));
    must(task().mkdir("b", 0755));
  }
  void mover(vfs::task& me) {
    const auto done = me.rename("a", "b");
    moved = done.has_value();
    if (!moved) expect_errno(done, ENOTEMPTY);
  }
  void maker(vfs::task& me) {
    const auto done = me.mkdir("b/x", 0755);
    made = done.has_value();
    if (!made) expect_errno(done, ENOENT);
  }
  void check() {
    expect(moved || made, "one of them was made");
    expect_equal(must(task().stat("b")).nlink, made ? 3u : 2u, "links");
    if (moved) expect_errno(task().stat("a"), ENOENT);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rename", "a directory is replaced while a name is made in it", {"mover", &scene::mover}, {"maker", &scene::maker})
