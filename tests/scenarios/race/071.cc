// What: a rename to a name against its unlink, and a new file of the old name.
// Why: each of the three changes both names' directories under the same lock (Linux: lock_rename with one directory).
// Operations: rename of a to b; unlink of b; open of a with O_CREAT.
// Invariant: the files that are left have one link each, and nothing else has a name.
// Groups: auto rename unlink. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  void setup() {
    must(task().close(create("a")));
    must(task().close(create("b")));
  }
  void mover(vfs::task& me) { must(me.rename("a", "b")); }
  void remover(vfs::task& me) { must(me.unlink("b")); }
  void maker(vfs::task& me) { must(me.close(must(me.open("a", O_CREAT | O_RDWR, 0644)))); }
  void check() {
    for (const char* name : {"a", "b"})
      if (const auto there = task().stat(name)) expect_equal(there->nlink, 1u, "links");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rename unlink", "rename, unlink and create of two names", {"mover", &scene::mover}, {"remover", &scene::remover},
         {"maker", &scene::maker})
