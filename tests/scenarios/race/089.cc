// What: bytes that were stored behind the end of the file, and the file grows.
// Why: a page is mapped as a whole, and what is stored behind the end of the file lies in its block; whoever raises i_size zeroes it first and lets nobody store
// there between the two (Linux c7fc0366c656; ext4 shows the bytes).
// Operations: a store behind the end before; ftruncate to two blocks; pwrite into the second; a read; another store behind the end, and one before it.
// Invariant: what was stored when the file ended before it is never seen after that.
// Groups: auto mmap dax rw. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  bool behind = false;  // the storer has stored while the file had not grown yet

  void setup() {
    fd = create("file");
    write_word(*this, task(), fd, 0, 1);
    at = map_file(*this, task(), fd, 2 * block());
    expect_store(*this, task(), at + 800, 99);
  }
  void grower(vfs::task& me) { must(me.ftruncate(fd, 2 * block())); }
  void writer(vfs::task& me) { write_word(*this, me, fd, block() + 8, 2); }
  void reader(vfs::task& me) {
    std::uint64_t word = 0;
    const std::size_t got = must(me.pread(fd, &word, sizeof word, 800));
    expect(got == 0 || word == 0, "bytes from behind the old end");
  }
  void storer(vfs::task& me) {
    expect_store(*this, me, at + 1600, 77);
    behind = must(me.fstat(fd)).size <= 1600;
    expect_store(*this, me, at, 3);
  }
  void check() {
    if (behind) expect_word(*this, task(), fd, 1600, at + 1600, 0);
    expect_word(*this, task(), fd, 800, at + 800, 0);
    expect_word(*this, task(), fd, 0, at, 3);
    expect_word(*this, task(), fd, block() + 8, at + block() + 8, 2);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw", "stores behind the end of a file that grows", {"grower", &scene::grower}, {"writer", &scene::writer},
         {"reader", &scene::reader}, {"storer", &scene::storer})
