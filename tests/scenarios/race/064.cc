// What: link against unlink of the same name.
// Why: the count of an inode changes under its own lock: who links finds it with a name, or not at all (Linux: vfs_link, ENOENT for i_nlink 0).
// Operations: link to a second name; unlink of the first; stat of the second.
// Invariant: link succeeds or says ENOENT; the count is what names there are.
// Groups: auto link. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  bool linked = false;

  void setup() { must(task().close(create("one"))); }
  void linker(vfs::task& me) {
    const auto done = me.link("one", "two");
    linked = done.has_value();
    if (!linked) expect_errno(done, ENOENT);
  }
  void remover(vfs::task& me) { must(me.unlink("one")); }
  void looker(vfs::task& me) {
    const auto there = me.stat("two");
    if (!there) return expect_errno(there, ENOENT);
    expect(there->nlink == 1 || there->nlink == 2, "one link or two");
  }
  void check() {
    const auto there = task().stat("two");
    if (!linked) return expect_errno(there, ENOENT);
    expect_equal(must(there).nlink, 1u, "links");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto link", "link against unlink", {"linker", &scene::linker}, {"remover", &scene::remover}, {"looker", &scene::looker})
