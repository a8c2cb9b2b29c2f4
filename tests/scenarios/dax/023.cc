// What: calls and mappings in turn, as they once went wrong: preallocation over what was stored, a size that grows over it, reads of both.
// Why: XIP's writes left preallocated blocks unwritten, which fsx saw as zeros (the 30th of January 2014); and what a store leaves of a file's modes and times
// (xfstests generic/075, 080, 263).
// Groups: auto quick rw mmap prealloc. Needs: DAX.
#include "helpers.h"
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

// A store, preallocation over it and behind it, and reads of what there is then.
void store_then_preallocate(run& t, loff_t block) {
  const int fd = t.create("stored");
  t.must(t->ftruncate(fd, 4 * block));
  const user_address at = map_file(t, t.task(), fd, static_cast<std::size_t>(8 * block));
  expect_store(t, t.task(), at + static_cast<user_address>(block) + 0x1a8, 1);
  t.must(t->fallocate(fd, 0, 0, 8 * block));
  expect_word(t, t.task(), fd, block + 0x1a8, at + static_cast<user_address>(block) + 0x1a8, 1);
  expect_store(t, t.task(), at + static_cast<user_address>(6 * block), 2);
  t.must(t->fallocate(fd, FALLOC_FL_KEEP_SIZE, 5 * block, 4 * block));
  expect_word(t, t.task(), fd, 6 * block, at + static_cast<user_address>(6 * block), 2);
  write_word(t, t.task(), fd, 7 * block + 8, 3);
  expect_word(t, t.task(), fd, 7 * block + 8, at + static_cast<user_address>(7 * block) + 8, 3);
  expect_word(t, t.task(), fd, 7 * block, at + static_cast<user_address>(7 * block), 0);
  t.must(mm::munmap(t.task(), at, static_cast<std::size_t>(8 * block)));
  t.must(t->close(fd));
}

// Preallocation first, then each way to fill it.
void preallocate_then_fill(run& t, loff_t block) {
  const int fd = t.create("filled");
  const auto bytes = static_cast<std::size_t>(block);
  t.must(t->fallocate(fd, 0, 0, 4 * block));
  t.put(fd, 0, bytes, {.file = 1});
  t.expect_data(fd, 0, bytes, {.file = 1});
  t.must(t->ftruncate(fd, block));
  t.expect_answer(t->pwrite(fd, "x", 1, block + 50), 1u);
  t.expect_zeros(fd, block, 50);
  t.expect_equal(t.size_of(fd), block + 51, "the size");
  t.must(t->close(fd));
}

// A store takes no mode bits away, as a write by somebody else than root does.
void keeps_modes(run& t, loff_t block) {
  const int fd = t.create("modes");
  t.must(t->ftruncate(fd, block));
  t.must(t->fchmod(fd, 06777));
  const vfs::task_ptr somebody = t.new_task({.uid = 1000, .gid = 1000});
  const int theirs = t.must(somebody->open(t.directory() + "/modes", O_RDWR));
  const user_address at = map_file(t, *somebody, theirs, static_cast<std::size_t>(block));
  expect_store(t, *somebody, at, 1);
  t.expect_equal(t.must(t->fstat(fd)).mode & 07777u, 06777u, "the mode behind a store");
  write_word(t, *somebody, theirs, 8, 2);
  t.expect_equal(t.must(t->fstat(fd)).mode & 07777u, 0777u, "and behind a write");
  t.must(mm::munmap(*somebody, at, static_cast<std::size_t>(block)));
  t.must(somebody->close(theirs));
  t.must(t->close(fd));
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick rw mmap prealloc", "stores and preallocation in turn", .dax = true) {
  const loff_t block = t.block_size();
  store_then_preallocate(t, block);
  preallocate_then_fill(t, block);
  keeps_modes(t, block);
}
