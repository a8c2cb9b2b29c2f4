// What: dup, dup2, dup3 and F_DUPFD share a position and flags; two opens do not; numbers are the lowest; closed ones are EBADF.
// Why: the difference between a descriptor and an open file.
// Groups: auto quick open. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick open", "descriptors and open files") {
  const int fd = t.create("file");
  t.put(fd, 0, 100, {});
  const int twin = t.must(t->dup(fd));
  const int other = t.must(t->open("file", O_RDWR));
  t.expect_answer(t->lseek(fd, 42, SEEK_SET), 42);
  t.expect_answer(t->lseek(twin, 0, SEEK_CUR), 42, "the position of a duplicate");
  t.expect_answer(t->lseek(other, 0, SEEK_CUR), 0, "the position of another open");
  t.must(t->fcntl(twin, F_SETFL, O_APPEND));
  t.expect((t.must(t->fcntl(fd, F_GETFL)) & O_APPEND) != 0, "duplicates share O_APPEND");
  t.expect((t.must(t->fcntl(other, F_GETFL)) & O_APPEND) == 0, "another open has flags of its own");

  t.must(t->close(fd));
  std::byte b{};
  t.expect_answer(t->pread(twin, &b, 1, 0), 1, "a duplicate outlives the original");
  t.expect_errno(t->pread(fd, &b, 1, 0), EBADF);
  t.expect_errno(t->close(fd), EBADF);
  t.expect_answer(t->dup(other), fd, "the lowest free number");
  t.expect_answer(t->dup2(other, 77), 77);
  t.expect_answer(t->dup2(other, other), other, "dup2 onto itself");
  t.expect_errno(t->dup3(other, other, 0), EINVAL);
  t.expect_errno(t->dup2(1234, 5), EBADF);
  t.expect_answer(t->fcntl(other, F_DUPFD, 50), 50, "the lowest from 50 on");
  t.expect_answer(t->dup3(other, 60, O_CLOEXEC), 60);
  t.expect_answer(t->fcntl(60, F_GETFD), FD_CLOEXEC, "the flags of the descriptor");
  t.expect_answer(t->fcntl(77, F_GETFD), 0, "the flags of a dup2");
  t.expect_errno(t->lseek(999, 0, SEEK_SET), EBADF);
  t.expect_errno(t->fsync(999), EBADF);
  t.expect_errno(t->fcntl(other, 12345), EINVAL);
}
