// What: an exchange of a file and a directory against a new name for the file in that directory.
// Why: whoever makes a name locks the directory, then the file. The exchange locks both too, and in the same order, whatever their numbers are (Linux:
// lock_two_nondirectories, and vfs_rename, which locks directories first).
// Operations: renameat2 with RENAME_EXCHANGE of a file that is older than the directory; link of the file into the directory.
// Invariant: both return. The link is made, or refused because the name is a directory's by then, or the other one no longer is.
// Groups: auto rename locks. Needs: nothing.
#include <linux/fs.h>

#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  void setup() {
    must(task().close(create("f")));
    must(task().mkdir("d", 0755));
  }
  void mover(vfs::task& me) { must(me.renameat2(AT_FDCWD, "f", AT_FDCWD, "d", RENAME_EXCHANGE)); }
  void linker(vfs::task& me) {
    const auto made = me.link("f", "d/g");
    if (!made && made.error() != EPERM) expect_errno(made, ENOTDIR);
  }
  void check() {
    expect_equal(must(task().stat("f")).mode & S_IFMT, std::uint32_t{S_IFDIR}, "type of what was a file");
    expect_equal(must(task().stat("d")).mode & S_IFMT, std::uint32_t{S_IFREG}, "type of what was a directory");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rename locks", "an exchange against a link", {"mover", &scene::mover}, {"linker", &scene::linker})
