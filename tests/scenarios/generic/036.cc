// What: lseek and the file position: from the start, here, the end; beyond the end; negative; read at and past the end; a hole by seek and write.
// Why: the oldest calls of all.
// Groups: auto quick rw. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick rw", "the file position") {
  const int fd = t.create("file");
  t.put(fd, 0, 1000, {.file = 36});
  std::vector<std::byte> data(600);
  t.expect_answer(t->read(fd, data.data(), 600), 600);
  t.expect_answer(t->read(fd, data.data(), 600), 400, "bytes read across the end");
  t.expect_answer(t->read(fd, data.data(), 600), 0, "bytes read at the end");
  t.expect_answer(t->lseek(fd, -10, SEEK_END), 990);
  t.expect_answer(t->lseek(fd, -90, SEEK_CUR), 900);
  t.expect_answer(t->read(fd, data.data(), 600), 100);
  t.expect_same(compare(std::span{data}.first(100), 900, {.file = 36}));
  t.expect_errno(t->lseek(fd, -1, SEEK_SET), EINVAL);
  t.expect_errno(t->lseek(fd, -2000, SEEK_CUR), EINVAL);
  t.expect_errno(t->lseek(fd, 0, 99), EINVAL);
  t.expect_answer(t->lseek(fd, 0, SEEK_CUR), 1000, "the position after refusals");
  t.expect_answer(t->lseek(fd, 100'000, SEEK_SET), 100'000);
  t.expect_answer(t->read(fd, data.data(), 600), 0, "bytes read beyond the end");
  t.expect_equal(t.size_of(fd), 1000, "a seek does not grow the file");
  t.expect_answer(t->write(fd, "x", 1), 1);
  t.expect_equal(t.size_of(fd), 100'001, "the size after a write beyond the end");
  t.expect_zeros(fd, 1000, 99'000);
  t.expect_errno(t->pread(fd, data.data(), 10, -1), EINVAL);
  t.expect_errno(t->pwrite(fd, data.data(), 10, -5), EINVAL);
  t.expect_answer(t->pread(fd, data.data(), 10, 0), 10);
  t.expect_answer(t->lseek(fd, 0, SEEK_CUR), 100'001, "pread leaves the position");
}
