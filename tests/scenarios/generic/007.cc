// What: with O_APPEND a pwrite appends, whatever its offset; RWF_APPEND does so for one call.
// Why: Linux's own documented oddity, measured on ext4; O_APPEND can be set and cleared by F_SETFL.
// Groups: auto quick rw append. Needs: nothing.
#include <array>

#include "helpers.h"

XIP_SCENARIO("auto quick rw append", "appends ignore the offset") {
  const int fd = t.must(t->open("file", O_RDWR | O_CREAT | O_APPEND, 0644));
  std::string bytes = "0123456789";
  t.expect_answer(t->pwrite(fd, bytes.data(), 10, 0), 10);
  t.expect_answer(t->pwrite(fd, bytes.data(), 10, 3), 10);
  t.expect_answer(t->pwrite(fd, bytes.data(), 10, 1 << 20), 10);
  t.expect_equal(t.size_of(fd), 30, "the size after three appends");

  t.expect_answer(t->lseek(fd, 5, SEEK_SET), 5);
  t.expect_answer(t->write(fd, bytes.data(), 10), 10);
  t.expect_answer(t->lseek(fd, 0, SEEK_CUR), 40, "the position after an append");

  const int other = t.must(t->open("file", O_RDWR));
  const iovec one{bytes.data(), 10};
  t.expect_answer(t->pwritev2(other, &one, 1, 0, RWF_APPEND), 10);
  t.expect_equal(t.size_of(fd), 50, "the size after RWF_APPEND");

  t.must(t->fcntl(fd, F_SETFL, 0));
  t.expect_answer(t->pwrite(fd, "abc", 3, 0), 3);
  t.expect_equal(t.size_of(fd), 50, "the size after O_APPEND was cleared");
  std::array<char, 50> found{};
  t.expect_answer(t->pread(fd, found.data(), found.size(), 0), 50);
  t.expect_equal(std::string(found.data(), 50), std::string{"abc3456789"} + bytes + bytes + bytes + bytes, "the bytes");
}
