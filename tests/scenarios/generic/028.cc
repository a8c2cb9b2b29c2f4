// What: flags of open: O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_APPEND with O_TRUNC, access modes.
// Why: Linux's errno for each misuse; O_TRUNC gives the blocks back.
// Groups: auto quick open errors. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick open errors", "flags of open") {
  const std::uint64_t before = free_bytes(t);
  const int fd = t.must(t->open("file", O_RDWR | O_CREAT | O_EXCL, 0640));
  t.expect_equal(t.must(t->fstat(fd)).mode, 0100640u, "the mode of a new file");
  t.expect_errno(t->open("file", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
  t.expect_errno(t->open("none", O_RDWR), ENOENT);
  t.expect_errno(t->open("none/x", O_RDWR | O_CREAT, 0644), ENOENT);
  t.expect_errno(t->open("", O_RDONLY), ENOENT);
  t.put(fd, 0, 300'000, {.file = 28});

  t.expect_errno(t->open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
  t.expect_errno(t->open("file/", O_RDONLY), ENOTDIR);
  t.expect_errno(t->open(".", O_RDWR), EISDIR);
  t.expect_errno(t->open(".", O_RDONLY | O_CREAT, 0644), EISDIR);
  t.expect_errno(t->open("new/", O_WRONLY | O_CREAT, 0644), EISDIR);

  const int reader = t.must(t->open("file", O_RDONLY));
  std::byte b{};
  t.expect_errno(t->pwrite(reader, &b, 1, 0), EBADF);
  t.expect_errno(t->ftruncate(reader, 0), EINVAL);
  const int writer = t.must(t->open("file", O_WRONLY));
  t.expect_errno(t->pread(writer, &b, 1, 0), EBADF);

  const int truncated = t.must(t->open("file", O_WRONLY | O_APPEND | O_TRUNC));
  t.expect_equal(t.size_of(fd), 0, "the size after O_TRUNC");
  t.expect_answer(t->pread(reader, &b, 1, 0), 0, "bytes read by another descriptor");
  t.expect_answer(t->write(truncated, "xyz", 3), 3);
  t.expect_equal(t.size_of(fd), 3, "the size after an append");
  t.must(t->ftruncate(fd, 0));
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes of an empty file");
}
