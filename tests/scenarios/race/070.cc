// What: a walk that may not leave a directory, against a rename that carries it out.
// Why: behind ".." the walk looks whether something was moved (Linux: handle_dots, LOOKUP_IS_SCOPED).
// Operations: openat2 with RESOLVE_IN_ROOT of x/y/../../..; rename of x to another directory.
// Invariant: what is opened is the directory that the walk began in, or EAGAIN or ENOENT is the answer.
// Groups: auto rename. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  int root = -1;
  std::uint64_t ino = 0;

  void setup() {
    for (const char* name : {"root", "root/x", "root/x/y", "other"}) must(task().mkdir(name, 0755));
    root = must(task().open("root", O_PATH));
    ino = must(task().fstat(root)).ino;
  }
  void walker(vfs::task& me) {
    const auto fd = me.openat2(root, "x/y/../../..", {O_RDONLY, 0, RESOLVE_IN_ROOT});
    if (fd) return expect_equal(must(me.fstat(*fd)).ino, ino, "where the walk ended");
    expect(fd.error() == EAGAIN || fd.error() == ENOENT, "told to try again, or too late");
  }
  void mover(vfs::task& me) { must(me.rename("root/x", "other/x")); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rename", "a limited walk is carried away", {"walker", &scene::walker}, {"mover", &scene::mover})
