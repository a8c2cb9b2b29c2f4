// What: what fallocate refuses, and with which errno; the file is as it was.
// Why: unaligned COLLAPSE and INSERT are EINVAL, PUNCH_HOLE wants KEEP_SIZE and they do not (EOPNOTSUPP), as measured on ext4.
// Groups: auto quick prealloc errors. Needs: feature extent.
#include "helpers.h"

XIP_SCENARIO("auto quick prealloc errors", "refusals of fallocate", .extents = true) {
  const int fd = t.create("file");
  const loff_t block = t.block_size();
  t.put(fd, 0, static_cast<std::size_t>(8 * block), {.file = 6});
  const auto refused = [&](int mode, loff_t at, loff_t bytes, int number, std::source_location here = std::source_location::current()) {
    t.expect_errno(t->fallocate(fd, mode, at, bytes), number, here);
  };
  refused(FALLOC_FL_COLLAPSE_RANGE, 1, block, EINVAL);
  refused(FALLOC_FL_COLLAPSE_RANGE, 0, block - 1, EINVAL);
  refused(FALLOC_FL_COLLAPSE_RANGE, 4 * block, 100 * block, EINVAL);
  refused(FALLOC_FL_INSERT_RANGE, 1, block, EINVAL);
  refused(FALLOC_FL_INSERT_RANGE, 0, block + 1, EINVAL);
  refused(FALLOC_FL_INSERT_RANGE, 100 * block, block, EINVAL);
  refused(FALLOC_FL_PUNCH_HOLE, 0, block, EOPNOTSUPP);
  refused(FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, block, EOPNOTSUPP);
  refused(FALLOC_FL_INSERT_RANGE | FALLOC_FL_KEEP_SIZE, 0, block, EOPNOTSUPP);
  refused(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, block, EOPNOTSUPP);
  refused(1 << 20, 0, block, EOPNOTSUPP);
  refused(0, -1, block, EINVAL);
  refused(0, 0, 0, EINVAL);
  refused(0, 0, -block, EINVAL);
  refused(0, INT64_MAX - 10, 100, EFBIG);
  const int reader = t.must(t->open("file", O_RDONLY));
  t.expect_errno(t->fallocate(reader, 0, 0, block), EBADF);
  const int dir = t.must(t->open(".", O_RDONLY | O_DIRECTORY));
  t.expect_errno(t->fallocate(dir, 0, 0, block), EBADF);
  t.expect_equal(t.size_of(fd), 8 * block, "the size");
  t.expect_data(fd, 0, static_cast<std::size_t>(8 * block), {.file = 6});
}
