// What: a rename to a name against its unlink, and a new file of the old name.
// Why: each of the three changes both names' directories under the same lock (Linux: lock_rename with one directory).
// Operations: rename of a to b; unlink of b; open of a with O_CREAT.
// Invariant: b is the file that was a, or gone; a is a new one, or gone; each has one link.
// Groups: auto rename unlink. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  void setup() {
    const int fd = create("a");
    must(task().pwrite(fd, "moved", 5, 0));
    must(task().close(fd));
    must(task().close(create("b")));
  }
  void mover(vfs::task& me) { must(me.rename("a", "b")); }
  void remover(vfs::task& me) { must(me.unlink("b")); }
  void maker(vfs::task& me) { must(me.close(must(me.open("a", O_CREAT | O_RDWR, 0644)))); }
  void check() {
    if (const auto a = task().stat("a")) {
      expect_equal(a->nlink, 1u, "links of a");
      expect_equal(a->size, 0, "the size of a, which is new");
    }
    if (const auto b = task().stat("b")) {
      expect_equal(b->nlink, 1u, "links of b");
      expect_equal(b->size, 5, "the size of b, which was a");
    }
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rename unlink", "rename, unlink and create of two names", {"mover", &scene::mover}, {"remover", &scene::remover},
         {"maker", &scene::maker})
