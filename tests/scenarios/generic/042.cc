// What: fallocate: with KEEP_SIZE blocks beyond the end, without it a larger size; reads zeros; truncate frees what is beyond.
// Why: preallocated and past the end is where e2fsck, truncate and extending writes meet.
// Groups: auto quick prealloc. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick prealloc", "fallocate within and beyond the size") {
  const loff_t block = t.block_size();
  const std::uint64_t before = free_bytes(t);
  const int fd = t.create("file");
  t.must(t->fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100 * block));
  t.expect_equal(t.size_of(fd), 0, "the size after KEEP_SIZE");
  t.expect_equal(count_extents(t, fd).unwritten, static_cast<std::uint64_t>(100 * block), "unwritten bytes");
  t.put(fd, 50 * block + 10, 1000, {.file = 42});
  t.expect_equal(t.size_of(fd), 50 * block + 1010, "the size after a write into it");
  t.expect_zeros(fd, 0, static_cast<std::size_t>(50 * block + 10));
  t.must(t->fallocate(fd, 0, 120 * block, block));
  t.expect_equal(t.size_of(fd), 121 * block, "the size after fallocate");
  t.expect_zeros(fd, 50 * block + 1010, static_cast<std::size_t>(71 * block - 1010));
  t.expect_data(fd, 50 * block + 10, 1000, {.file = 42});
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDWR));
  t.expect_data(again, 50 * block + 10, 1000, {.file = 42});
  t.must(t->fallocate(again, FALLOC_FL_KEEP_SIZE, 200 * block, 100 * block));
  t.must(t->ftruncate(again, 51 * block));
  t.expect(t.must(t->fstat(again)).blocks * 512 <= 53 * static_cast<std::uint64_t>(block), "truncate frees what lies beyond the size");
  t.must(t->fallocate(again, FALLOC_FL_KEEP_SIZE, 60 * block, 10 * block));
  t.must(t->ftruncate(again, t.size_of(again)));
  t.must(t->close(again));
  t.must(t->unlink("file"));
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes at the end");
}
