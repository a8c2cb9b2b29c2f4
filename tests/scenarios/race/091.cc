// What: a write of many slices, stores into the same file, and a commit.
// Why: with an entry locked nobody waits for a commit: the commit waits for a handle whose task waits for the entry.
// Operations: pwrite over blocks that are holes and preallocated in turn; stores into two of them; fsync of another file.
// Invariant: all return, and every byte is there.
// Groups: auto mmap dax locks prealloc. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  static constexpr std::uint64_t blocks = 6;
  int other = -1;

  void setup() {
    fd = create("file");
    other = create("other");
    must(task().ftruncate(fd, blocks * block()));
    for (std::uint64_t i = 0; i < blocks; i += 2) must(task().fallocate(fd, 0, static_cast<loff_t>(i * block()), block()));
    at = map_file(*this, task(), fd, blocks * block());
  }
  void writer(vfs::task& me) { put(me, fd, block(), 3 * block(), {.file = 1, .generation = 1}); }
  void storer(vfs::task& me) {
    expect_store(*this, me, at + 4 * block() + 8, 1);
    expect_store(*this, me, at + 8, 2);
  }
  void syncer(vfs::task& me) { must(me.fsync(other)); }
  void check() {
    expect_data(task(), fd, block(), 3 * block(), {.file = 1, .generation = 1});
    expect_word(*this, task(), fd, 4 * block() + 8, at + 4 * block() + 8, 1);
    expect_word(*this, task(), fd, 8, at + 8, 2);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax locks prealloc", "a write of many slices against stores and a commit", {"writer", &scene::writer},
         {"storer", &scene::storer}, {"syncer", &scene::syncer})
