// What: an exchange of a file and a directory against look-ups.
// Why: both names always stand for something (Linux: RENAME_EXCHANGE, d_exchange).
// Operations: renameat2 with RENAME_EXCHANGE across directories; stat of both names; making a name in the directory by either.
// Invariant: each name is there; what is made is in the directory, and the link counts of both parents are right.
// Groups: auto rename. Needs: nothing.
#include <linux/fs.h>

#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  void setup() {
    must(task().mkdir("a", 0755));
    must(task().mkdir("b", 0755));
    must(task().mkdir("a/x", 0755));
    must(task().close(create("b/x")));
  }
  void mover(vfs::task& me) { must(me.renameat2(AT_FDCWD, "a/x", AT_FDCWD, "b/x", RENAME_EXCHANGE)); }
  void looker(vfs::task& me) {
    must(me.stat("a/x"));
    must(me.stat("b/x"));
  }
  void maker(vfs::task& me) {
    const auto made = me.mkdir("a/x/y", 0755);
    if (!made) expect_errno(made, ENOTDIR);
  }
  void check() {
    expect_equal(must(task().stat("a")).nlink, 2u, "links of the directory that lost one");
    expect_equal(must(task().stat("b")).nlink, 3u, "links of the one that got it");
    expect_equal(must(task().stat("a/x")).mode & S_IFMT, std::uint32_t{S_IFREG}, "type");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rename", "two names change places", {"mover", &scene::mover}, {"looker", &scene::looker}, {"maker", &scene::maker})
