// What: descriptor limits, misuse of descriptors by kind, copies of a task.
// Why: EMFILE at the limit, EISDIR and ENOTDIR where a directory or file is the wrong thing, fork copies or shares the table.
// Groups: auto quick open errors. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick open errors", "descriptor tables") {
  const auto other = t.new_task();
  other->limits.nofile = 8;
  std::vector<int> open;
  for (;;) {
    const auto fd = other->open("file", O_RDWR | O_CREAT, 0644);
    if (!fd) {
      t.expect_errno(fd, EMFILE);
      break;
    }
    open.push_back(*fd);
  }
  t.expect_equal(open.size(), 8u, "descriptors up to the limit");
  t.expect_errno(other->dup(open[0]), EMFILE);
  t.expect_errno(other->dup2(open[0], 8), EBADF);
  t.must(other->close(open[3]));
  t.expect_answer(other->open("file", O_RDONLY), open[3], "the lowest free number");

  const int dir = t.must(t->open(".", O_RDONLY | O_DIRECTORY));
  std::byte b{};
  t.expect_errno(t->read(dir, &b, 1), EISDIR);
  t.expect_errno(t->pwrite(dir, &b, 1, 0), EBADF);
  t.expect_errno(t->ftruncate(dir, 0), EINVAL);
  const int fd = t.must(t->open("file", O_RDWR));
  t.expect_errno(t->getdents(fd), ENOTDIR);
  t.expect_errno(t->truncate(".", 0), EISDIR);
  t.expect_errno(t->ftruncate(fd, -1), EINVAL);

  const vfs::task_ptr copy{t.must(t.kernel().fork_task(t.task(), "copy"))};
  const vfs::task_ptr sharer{t.must(t.kernel().fork_task(t.task(), "sharer", true))};
  t.put(fd, 0, 100, {});
  t.must(t->close(fd));
  t.expect_errno(sharer->pread(fd, &b, 1, 0), EBADF);
  const int again = t.must(sharer->open("file", O_RDONLY));
  t.expect_answer(t->pread(again, &b, 1, 0), 1, "a shared table has what the other opened");
  static_cast<void>(copy);
}
