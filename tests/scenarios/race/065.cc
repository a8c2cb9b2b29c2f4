// What: rmdir against making a name in the directory.
// Why: a directory is empty, and stays so, while its own lock is held; who comes later finds it dead (Linux: vfs_rmdir, S_DEAD).
// Operations: rmdir; open with O_CREAT in it; mkdir in it by a descriptor.
// Invariant: either all names were refused, or rmdir was.
// Groups: auto dir. Needs: nothing.
#include <atomic>

#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  std::uint32_t made = 0;
  bool removed = false;
  int fd = -1;

  void setup() {
    must(task().mkdir("d", 0755));
    fd = must(task().open("d", O_RDONLY | O_DIRECTORY));
  }
  void remover(vfs::task& me) {
    const auto done = me.rmdir("d");
    removed = done.has_value();
    if (!removed) expect_errno(done, ENOTEMPTY);
  }
  void maker(vfs::task& me) {
    const auto file = me.open("d/f", O_CREAT | O_RDWR, 0644);
    if (file)
      std::atomic_ref{made}.fetch_add(1);
    else
      expect_errno(file, ENOENT);
  }
  void second(vfs::task& me) {
    const auto done = me.mkdirat(fd, "s", 0755);
    if (done)
      std::atomic_ref{made}.fetch_add(1);
    else
      expect_errno(done, ENOENT);
  }
  void check() {
    expect(removed == (made == 0), "it was removed if and only if nothing was made");
    if (!removed) expect_equal(must(task().stat("d")).nlink, task().stat("d/s") ? 3u : 2u, "links");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto dir", "rmdir against create and mkdir", {"remover", &scene::remover}, {"maker", &scene::maker},
         {"second", &scene::second})
