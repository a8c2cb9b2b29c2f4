// What: a range that is zeroed reads as zeros, keeps the blocks it has, gets those it lacks, and moves the size unless it is told not to.
// Why: whole blocks become unwritten, what is written of them next is lifted again; the bytes at the edges are zeroed where they lie.
// Groups: auto quick rw prealloc extents. Needs: feature extent.
#include "helpers.h"

XIP_SCENARIO("auto quick rw prealloc extents", "ranges are zeroed", .extents = true) {
  const stamp data{.file = 92}, later{.file = 92, .generation = 1};
  const loff_t block = t.block_size();
  const int fd = t.create("file");
  t.put(fd, 0, static_cast<std::size_t>(16 * block), data);
  const auto blocks = [&] { return static_cast<loff_t>(t.must(t->fstat(fd)).blocks) * 512 / block; };
  const loff_t before = blocks();
  t.must(t->fallocate(fd, FALLOC_FL_ZERO_RANGE, 2 * block + 7, 8 * block));
  t.expect_equal(blocks(), before, "blocks after zeroing what was written");
  t.expect_data(fd, 0, static_cast<std::size_t>(2 * block + 7), data);
  t.expect_zeros(fd, 2 * block + 7, static_cast<std::size_t>(8 * block));
  t.expect_data(fd, 10 * block + 7, static_cast<std::size_t>(6 * block - 7), data);
  t.expect_equal(t.must(t->lseek(fd, 0, SEEK_HOLE)), 3 * block, "where the unwritten blocks begin");
  t.expect_equal(t.must(t->lseek(fd, 3 * block, SEEK_DATA)), 10 * block, "where they end");

  t.put(fd, 5 * block + 3, 10, later);
  t.expect_zeros(fd, 5 * block, 3);
  t.expect_data(fd, 5 * block + 3, 10, later);
  t.expect_zeros(fd, 5 * block + 13, static_cast<std::size_t>(5 * block - 6));

  const loff_t with_tree = blocks();  // the pieces may no longer fit into the inode
  t.must(t->fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 16 * block, 4 * block));
  t.expect_equal(t.size_of(fd), 16 * block, "the size that was to be kept");
  t.expect_equal(blocks(), with_tree + 4, "blocks behind the end");
  t.must(t->fallocate(fd, FALLOC_FL_ZERO_RANGE, 15 * block + 1, 4 * block));
  t.expect_equal(t.size_of(fd), 19 * block + 1, "the size that was to grow");
  t.expect_equal(blocks(), with_tree + 4, "blocks that were there");
  t.expect_zeros(fd, 15 * block + 1, static_cast<std::size_t>(4 * block));
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDONLY));
  t.expect_data(again, 10 * block + 7, static_cast<std::size_t>(5 * block - 6), data);
  t.expect_zeros(again, 15 * block + 1, static_cast<std::size_t>(4 * block));
  t.expect_data(again, 5 * block + 3, 10, later);
  t.must(t->close(again));
}
