// What: ranges are taken out of the middle of a file and put in again: what is behind moves, with its holes and its unwritten blocks, and nothing else changes.
// Why: extents are moved in the tree, the blocks stay where they are.
// Groups: auto quick rw prealloc extents. Needs: feature extent.
#include "helpers.h"

XIP_SCENARIO("auto quick rw prealloc extents", "ranges are collapsed and inserted", .extents = true) {
  const stamp first{.file = 93}, second{.file = 93, .generation = 1};
  const loff_t block = t.block_size();
  const auto bytes = [&](loff_t blocks) { return static_cast<std::size_t>(blocks * block); };
  const int fd = t.create("file");
  // four blocks of the first, a hole of two, three unwritten ones, and some of the second
  t.put(fd, 0, bytes(4), first);
  t.must(t->fallocate(fd, 0, 6 * block, 3 * block));
  t.put(fd, 9 * block, bytes(4) + 11, second);
  const auto blocks = [&] { return static_cast<loff_t>(t.must(t->fstat(fd)).blocks) * 512 / block; };
  const loff_t before = blocks();

  t.must(t->fallocate(fd, FALLOC_FL_INSERT_RANGE, 2 * block, 5 * block));
  t.expect_equal(t.size_of(fd), 18 * block + 11, "the size after an insertion");
  t.expect_equal(blocks(), before, "blocks after an insertion");
  t.expect_data(fd, 0, bytes(2), first);
  t.expect_zeros(fd, 2 * block, bytes(5));
  t.expect_equal(t.must(t->lseek(fd, 0, SEEK_HOLE)), 2 * block, "the hole that was put in");
  t.expect_equal(t.must(t->lseek(fd, 2 * block, SEEK_DATA)), 7 * block, "what was behind it");
  t.expect_zeros(fd, 9 * block, bytes(5));

  t.must(t->fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 2 * block, 5 * block));
  t.expect_equal(t.size_of(fd), 13 * block + 11, "the size when it was taken out again");
  t.expect_data(fd, 0, bytes(4), first);
  t.expect_zeros(fd, 4 * block, bytes(5));
  t.expect_data(fd, 9 * block, bytes(4) + 11, second);

  t.must(t->fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 4 * block, 5 * block));
  t.expect_equal(blocks(), before - 3, "blocks without the unwritten ones");
  std::vector<std::byte> expected(bytes(4) + 11), found(expected.size());
  fill(expected, 9 * block, second);
  t.expect_answer(t->pread(fd, found.data(), found.size(), 4 * block), found.size(), "bytes that have moved");
  t.expect_same(compare_bytes(found, 4 * block, expected));
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDONLY));
  t.expect_data(again, 0, bytes(4), first);
  t.expect_answer(t->pread(again, found.data(), found.size(), 4 * block), found.size(), "bytes after a new mount");
  t.expect_same(compare_bytes(found, 4 * block, expected));
  t.must(t->close(again));
}
