// What: RLIMIT_FSIZE cuts a write short at the limit, then EFBIG; truncate beyond it is EFBIG; what lies beyond already may be read.
// Why: measured on Linux: a short count first, the error next.
// Groups: auto quick rw errors. Needs: feature extent.
#include "helpers.h"

XIP_SCENARIO("auto quick rw errors", "RLIMIT_FSIZE", .extents = true) {
  const auto limited = t.new_task();
  limited->limits.fsize = 10'000;
  const int fd = t.must(limited->open("file", O_RDWR | O_CREAT, 0644));
  std::vector<std::byte> data(8192);
  fill(data, 0, {.file = 18});
  t.expect_answer(limited->pwrite(fd, data.data(), data.size(), 0), 8192, "a write below the limit");
  fill(data, 8192, {.file = 18});
  t.expect_answer(limited->pwrite(fd, data.data(), data.size(), 8192), 10'000 - 8192, "a write across the limit");
  t.expect_errno(limited->pwrite(fd, data.data(), data.size(), 10'000), EFBIG);
  t.expect_errno(limited->pwrite(fd, data.data(), 1, 20'000), EFBIG);
  t.expect_equal(t.must(limited->fstat(fd)).size, 10'000, "the size");
  t.expect_errno(limited->ftruncate(fd, 10'001), EFBIG);
  t.must(limited->ftruncate(fd, 9'000));
  t.must(limited->ftruncate(fd, 10'000));
  t.expect_errno(limited->fallocate(fd, 0, 9'000, 2'000), EFBIG);

  const int free = t.must(t->open("file", O_RDWR));
  t.put(free, 10'000, 5'000, {.file = 18});
  t.expect_data(*limited, fd, 10'000, 5'000, {.file = 18});
  t.expect_errno(limited->pwrite(fd, data.data(), 1, 12'000), EFBIG);
  t.must(limited->ftruncate(fd, 100));
}
