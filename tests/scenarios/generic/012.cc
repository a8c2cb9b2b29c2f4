// What: which calls change which times; ftruncate to the same size changes mtime and ctime too.
// Why: measured on ext4; make and backup tools live on it. Times are set back first, so that a change is seen however coarse the clock.
// Groups: auto quick times. Needs: nothing.
#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr vfs::timespec64 long_ago{1'000'000'000, 0};

// Runs CALL with atime and mtime of PATH set back; what it changed.
struct changes {
  bool atime, mtime;
};
template <class Call>
changes changed_by(run& t, const char* path, Call&& call) {
  const vfs::timespec64 times[2] = {long_ago, long_ago};
  t.must(t->utimensat(AT_FDCWD, path, times, 0));
  const auto before = t.must(t->stat(path));
  t.expect_equal(before.mtime, long_ago, "mtime as it was set");
  call();
  const auto after = t.must(t->stat(path));
  t.expect(after.ctime >= before.ctime, "ctime does not go back");
  return {after.atime != long_ago, after.mtime != long_ago};
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick times", "what changes mtime and atime") {
  const int fd = t.create("file");
  t.put(fd, 0, 1000, {});
  t.expect(changed_by(t, "file", [&] { t.put(fd, 0, 10, {}); }).mtime, "write changes mtime");
  t.expect(changed_by(t, "file", [&] { t.must(t->ftruncate(fd, 1000)); }).mtime, "ftruncate to the same size changes mtime");
  t.expect(changed_by(t, "file", [&] { t.must(t->ftruncate(fd, 2000)); }).mtime, "ftruncate to another size changes mtime");
  t.expect(changed_by(t, "file", [&] { t.must(t->fallocate(fd, 0, 0, 5000)); }).mtime, "an extending fallocate changes mtime");
  t.expect(!changed_by(t, "file", [&] { t.must(t->chmod("file", 0600)); }).mtime, "chmod leaves mtime");
  t.expect(!changed_by(t, "file", [&] { t.must(t->fsync(fd)); }).mtime, "fsync leaves mtime");
  const changes read = changed_by(t, "file", [&] { t.expect_zeros(fd, 3000, 100); });
  t.expect(!read.mtime, "read leaves mtime");
  t.expect(read.atime, "read changes an atime that is not newer than mtime (relatime)");
  t.expect(!changed_by(t, "file", [&] { t.expect_answer(t->pwrite(fd, "", 0, 0), 0); }).mtime, "an empty write leaves mtime");

  t.must(t->mkdir("dir", 0755));
  t.expect(changed_by(t, "dir", [&] { t.must(t->close(t.create("dir/a"))); }).mtime, "create changes the directory's mtime");
  t.expect(changed_by(t, "dir", [&] { t.must(t->mkdir("dir/b", 0755)); }).mtime, "mkdir changes the parent's mtime");
  t.expect(changed_by(t, "dir", [&] { t.must(t->unlink("dir/a")); }).mtime, "unlink changes the directory's mtime");
  t.expect(changed_by(t, "dir", [&] { t.must(t->rmdir("dir/b")); }).mtime, "rmdir changes the parent's mtime");
  t.expect(!changed_by(t, "dir", [&] { t.expect_errno(t->unlink("dir/none"), ENOENT); }).mtime, "a failed unlink leaves mtime");
}
