// What: the last close of an unlinked file against a read of it, while a new file is made.
// Why: a call under way keeps its file: the blocks and the number of the inode become free only behind it (Linux: fget and fput around each
// call, ext4_evict_inode).
// Operations: pread; unlink and close, which is the last one, of the same table; open of a new file, pwrite and pread of it.
// Invariant: the read has all of the bytes, or EBADF; the new file has its own.
// Groups: auto unlink. Needs: nothing.
#include <array>

#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  static constexpr race_options options{.share_files = true};
  int fd = -1;

  void setup() {
    const int lower = create("spare");  // the number that the new file gets
    fd = create("file");
    put(task(), fd, 0, 2 * block(), {.file = 1});
    must(task().close(lower));
  }
  void reader(vfs::task& me) {
    std::array<std::byte, 3 * page_size> data;
    const auto got = me.pread(fd, data.data(), 2 * block(), 0);
    if (!got) return expect_errno(got, EBADF);
    expect_equal(*got, 2 * block(), "bytes read");
    expect_same(compare(std::span{data}.first(*got), 0, {.file = 1}));
  }
  void closer(vfs::task& me) {
    must(me.unlink("file"));
    must(me.close(fd));
  }
  void maker(vfs::task& me) {
    const int mine = must(me.open("new", O_RDWR | O_CREAT | O_EXCL, 0644));
    put(me, mine, 0, block(), {.file = 2});
    expect_data(me, mine, 0, block(), {.file = 2});
  }
  void check() { expect_errno(task().stat("file"), ENOENT); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto unlink", "the last close of an unlinked file", {"reader", &scene::reader}, {"closer", &scene::closer},
         {"maker", &scene::maker})
