// What: which calls change which times; ftruncate to the same size changes mtime and ctime too.
// Why: measured on ext4; make and backup tools live on it. A change is seen however coarse the clock: atime and mtime are set back first, and as
// ctime cannot be, the clock is waited for.
// Groups: auto quick times. Needs: nothing.
#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr vfs::timespec64 long_ago{1'000'000'000, 0};

// Until a change made now gets a later time than WHEN.
void wait_for_clock(run& t, vfs::timespec64 when) {
  wait_for(t, [&] {
    t.must(t->utimensat(AT_FDCWD, "clock", nullptr, 0));
    return t.must(t->stat("clock")).ctime > when;
  });
}

// Runs CALL with atime and mtime of PATH set back, and later than its ctime; what it changed.
struct changes {
  bool atime, mtime, ctime;
};
template <class Call>
changes changed_by(run& t, const char* path, Call&& call) {
  const vfs::timespec64 times[2] = {long_ago, long_ago};
  t.must(t->utimensat(AT_FDCWD, path, times, 0));
  const auto before = t.must(t->stat(path));
  t.expect_equal(before.mtime, long_ago, "mtime as it was set");
  wait_for_clock(t, before.ctime);
  call();
  const auto after = t.must(t->stat(path));
  t.expect(after.ctime >= before.ctime, "ctime does not go back");
  return {after.atime != long_ago, after.mtime != long_ago, after.ctime != before.ctime};
}

// CALL changes mtime and ctime of PATH, or neither.
void expect_modified(run& t, const char* path, const char* what, auto&& call) {
  const changes seen = changed_by(t, path, call);
  t.expect(seen.mtime, std::string{what} + " changes mtime");
  t.expect(seen.ctime, std::string{what} + " changes ctime");
}
void expect_not_modified(run& t, const char* path, const char* what, auto&& call) {
  const changes seen = changed_by(t, path, call);
  t.expect(!seen.mtime, std::string{what} + " leaves mtime");
  t.expect(!seen.ctime, std::string{what} + " leaves ctime");
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick times", "what changes mtime, ctime and atime") {
  t.must(t->close(t.create("clock")));
  const int fd = t.create("file");
  t.put(fd, 0, 1000, {});
  expect_modified(t, "file", "write", [&] { t.put(fd, 0, 10, {}); });
  expect_modified(t, "file", "ftruncate to the same size", [&] { t.must(t->ftruncate(fd, 1000)); });
  expect_modified(t, "file", "ftruncate to another size", [&] { t.must(t->ftruncate(fd, 2000)); });
  expect_modified(t, "file", "an extending fallocate", [&] { t.must(t->fallocate(fd, 0, 0, 5000)); });
  expect_not_modified(t, "file", "fsync", [&] { t.must(t->fsync(fd)); });
  expect_not_modified(t, "file", "an empty write", [&] { t.expect_answer(t->pwrite(fd, "", 0, 0), 0); });
  const changes chmod = changed_by(t, "file", [&] { t.must(t->chmod("file", 0600)); });
  t.expect(!chmod.mtime, "chmod leaves mtime");
  t.expect(chmod.ctime, "chmod changes ctime");
  const changes read = changed_by(t, "file", [&] { t.expect_zeros(fd, 3000, 100); });
  t.expect(!read.mtime && !read.ctime, "read leaves mtime and ctime");
  t.expect(read.atime, "read changes an atime that is not newer than mtime (relatime)");

  t.must(t->mkdir("dir", 0755));
  expect_modified(t, "dir", "a create in the directory", [&] { t.must(t->close(t.create("dir/a"))); });
  expect_modified(t, "dir", "mkdir", [&] { t.must(t->mkdir("dir/b", 0755)); });
  expect_modified(t, "dir", "unlink", [&] { t.must(t->unlink("dir/a")); });
  expect_modified(t, "dir", "rmdir", [&] { t.must(t->rmdir("dir/b")); });
  expect_not_modified(t, "dir", "a failed unlink", [&] { t.expect_errno(t->unlink("dir/none"), ENOENT); });
}
