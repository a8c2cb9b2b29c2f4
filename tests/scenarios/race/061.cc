// What: a rename over a file against open of the name that it replaces.
// Why: replacing a file by rename is atomic: the name stands for the one or the other, never for nothing (Linux: vfs_rename; POSIX rename).
// Operations: rename over a file; open of that name, and read; unlink of the old one by a descriptor that is open.
// Invariant: open never fails; the bytes are those of one file, whole.
// Groups: auto rename. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  void setup() {
    for (const std::uint32_t which : {1u, 2u}) {
      const int fd = create(which == 1 ? "file" : "fresh");
      put(task(), fd, 0, 1000 * which, {.file = which});
      must(task().close(fd));
    }
  }
  void mover(vfs::task& me) { must(me.rename("fresh", "file")); }
  void opener(vfs::task& me) {
    const int fd = must(me.open("file", O_RDONLY));
    const auto size = static_cast<std::size_t>(must(me.fstat(fd)).size);
    expect(size == 1000 || size == 2000, "the size of the one or of the other");
    expect_data(me, fd, 0, size, {.file = size == 1000 ? 1u : 2u});
  }
  void second(vfs::task& me) { opener(me); }
  void check() {
    expect_errno(task().stat("fresh"), ENOENT);
    expect_equal(must(task().stat("file")).nlink, 1u, "links");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rename", "a name is replaced while it is opened", {"mover", &scene::mover}, {"opener", &scene::opener},
         {"second", &scene::second})
