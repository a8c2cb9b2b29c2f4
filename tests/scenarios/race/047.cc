// What: two renames between two directories, in opposite directions.
// Why: each locks both directories; in the order they are named, each would have one and wait for the other (Linux: lock_rename, which orders
// them).
// Operations: rename of a/one to b/one; rename of b/two to a/two.
// Invariant: both return, and each name is where it went.
// Groups: auto locks dir. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  void setup() {
    must(task().mkdir("a", 0755));
    must(task().mkdir("b", 0755));
    must(task().close(create("a/one")));
    must(task().close(create("b/two")));
  }
  void there(vfs::task& me) { must(me.rename("a/one", "b/one")); }
  void back(vfs::task& me) { must(me.rename("b/two", "a/two")); }
  void check() {
    must(task().stat("b/one"));
    must(task().stat("a/two"));
    expect_errno(task().stat("a/one"), ENOENT);
    expect_errno(task().stat("b/two"), ENOENT);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto locks dir", "two renames in opposite directions", {"there", &scene::there}, {"back", &scene::back})
