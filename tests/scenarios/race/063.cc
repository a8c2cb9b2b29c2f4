// What: two renames that together would make a loop.
// Why: which directory lies below which is looked at while no directory can move (Linux: lock_rename, s_vfs_rename_mutex).
// Operations: rename of a into b; rename of b into a.
// Invariant: exactly one succeeds; both directories can be reached.
// Groups: auto rename. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  std::uint32_t moved = 0;

  void setup() {
    must(task().mkdir("a", 0755));
    must(task().mkdir("b", 0755));
  }
  void note(const result<>& done) {
    if (done)
      ++moved;
    else
      expect(done.error() == EINVAL || done.error() == ENOENT, "refused as a loop, or its parent was gone");
  }
  void first(vfs::task& me) { note(me.rename("a", "b/a")); }
  void second(vfs::task& me) { note(me.rename("b", "a/b")); }
  void check() {
    expect_equal(moved, 1u, "renames that were made");
    must(task().stat(task().stat("a") ? "a/b" : "b/a"));
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rename", "two renames that would make a loop", {"first", &scene::first}, {"second", &scene::second})
