// What: chdir, fchdir, getcwd, and the *at calls on directory descriptors; a working directory that was removed.
// Why: relative names start where the descriptor says, for every call.
// Groups: auto quick dir. Needs: nothing.
#include <linux/stat.h>

#include "helpers.h"

XIP_SCENARIO("auto quick dir", "working directories and dirfds") {
  t.must(t->mkdir("a", 0755));
  t.must(t->mkdir("a/b", 0755));
  const int a = t.must(t->open("a", O_RDONLY | O_DIRECTORY));
  const int file = t.must(t->openat(a, "file", O_RDWR | O_CREAT, 0644));
  t.must(t->stat("a/file"));
  t.must(t->mkdirat(a, "c", 0755));
  t.must(t->unlinkat(a, "c", AT_REMOVEDIR));
  t.expect_errno(t->unlinkat(a, "file", AT_REMOVEDIR), ENOTDIR);
  t.expect_errno(t->unlinkat(a, "b", 0), EISDIR);
  t.expect_errno(t->unlinkat(a, "file", 1), EINVAL);
  t.expect_errno(t->openat(file, "x", O_RDONLY), ENOTDIR);
  t.expect_errno(t->openat(999, "x", O_RDONLY), EBADF);
  t.must(t->openat(999, t.directory() + "/a/file", O_RDONLY));
  t.expect_equal(t.must(t->statx(a, "file", 0, STATX_BASIC_STATS)).ino, t.must(t->fstat(file)).ino, "statx of a name below a dirfd");
  t.expect_equal(t.must(t->statx(file, "", AT_EMPTY_PATH, STATX_BASIC_STATS)).ino, t.must(t->fstat(file)).ino, "statx of a descriptor");
  t.expect_errno(t->statx(file, "", 0, STATX_BASIC_STATS), ENOENT);

  t.must(t->chdir("a/b"));
  t.expect_equal(t.must(t->getcwd()), t.directory() + "/a/b", "the working directory");
  t.must(t->fchdir(a));
  t.expect_equal(t.must(t->getcwd()), t.directory() + "/a", "the working directory after fchdir");
  t.expect_errno(t->chdir("file"), ENOTDIR);
  t.expect_errno(t->fchdir(file), ENOTDIR);
  t.expect_errno(t->chdir("none"), ENOENT);
  t.must(t->chdir("b"));
  t.must(t->unlinkat(a, "b", AT_REMOVEDIR));
  t.expect_errno(t->open("x", O_WRONLY | O_CREAT, 0644), ENOENT);
  t.expect_errno(t->getcwd(), ENOENT);
  t.must(t->chdir(".."));
  t.expect_equal(t.must(t->getcwd()), t.directory() + "/a", "the parent of a removed directory");
}
