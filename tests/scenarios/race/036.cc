// What: unlink against open, and a new file of the same name.
// Why: a name is looked up before its directory is locked; a file that is open has its bytes, whatever became of its name (Linux:
// open_last_lookups, vfs_unlink).
// Operations: open and pread; unlink; open with O_CREAT and O_EXCL, and pwrite.
// Invariant: who opens finds nothing, the old file whole, or the new one, empty or whole; the new one is refused only while the old name is
// there.
// Groups: auto unlink. Needs: nothing.
#include <array>

#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  bool made = false;

  void setup() {
    const int fd = create("file");
    put(task(), fd, 0, 5000, {.file = 1});
    must(task().close(fd));
  }
  void opener(vfs::task& me) {
    const auto fd = me.open("file", O_RDONLY);
    if (!fd) return expect_errno(fd, ENOENT);
    std::array<std::byte, 6000> data;
    const std::size_t got = must(me.pread(*fd, data.data(), data.size(), 0));
    if (got == 5000) return expect_same(compare(std::span{data}.first(got), 0, {.file = 1}));
    expect(got == 0 || got == 3000, "the size is one the new file has had");
    expect_same(compare(std::span{data}.first(got), 0, {.file = 2}));
  }
  void remover(vfs::task& me) { must(me.unlink("file")); }
  void maker(vfs::task& me) {
    const auto fd = me.open("file", O_RDWR | O_CREAT | O_EXCL, 0644);
    if (!fd) return expect_errno(fd, EEXIST);
    put(me, *fd, 0, 3000, {.file = 2});
    made = true;
  }
  void check() {
    const auto there = task().stat("file");
    if (!made) return expect_errno(there, ENOENT);
    expect_equal(must(there).size, 3000, "the size of the new file");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto unlink", "unlink against open and create", {"opener", &scene::opener}, {"remover", &scene::remover},
         {"maker", &scene::maker})
