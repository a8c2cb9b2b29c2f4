// What: rmdir and unlink of what must not go: directories with names in them, ".", "..", files as directories and the other way round.
// Why: Linux's errno for each.
// Groups: auto quick dir errors. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick dir errors", "refusals of rmdir, unlink and mkdir") {
  t.must(t->mkdir("dir", 0755));
  t.must(t->mkdir("dir/sub", 0755));
  t.must(t->close(t.create("dir/file")));
  t.expect_errno(t->rmdir("dir"), ENOTEMPTY);
  t.expect_errno(t->rmdir("dir/file"), ENOTDIR);
  t.expect_errno(t->rmdir("dir/."), EINVAL);
  t.expect_errno(t->rmdir("dir/sub/.."), ENOTEMPTY);
  t.expect_errno(t->rmdir("none"), ENOENT);
  t.expect_errno(t->unlink("dir"), EISDIR);
  t.expect_errno(t->unlink("dir/none"), ENOENT);
  t.expect_errno(t->unlink("dir/file/x"), ENOTDIR);
  t.expect_errno(t->unlink("dir/file/"), ENOTDIR);
  t.expect_errno(t->mkdir("dir", 0755), EEXIST);
  t.expect_errno(t->mkdir("dir/file", 0755), EEXIST);
  t.expect_errno(t->mkdir("none/x", 0755), ENOENT);
  t.expect_errno(t->mkdir("dir/file/x", 0755), ENOTDIR);
  t.expect_errno(t->mkdir("", 0755), ENOENT);
  t.must(t->mkdir("dir/trailing/", 0755));
  t.must(t->rmdir("dir/trailing//"));
  t.expect_equal(t.must(t->stat("dir")).nlink, 3u, "links of the directory");
  t.must(t->unlink("dir/file"));
  t.must(t->rmdir("dir/sub"));
  t.expect_equal(t.must(t->stat("dir")).nlink, 2u, "links of the empty directory");

  // A directory that is gone but open has nothing in it and takes nothing.
  const int fd = t.must(t->open("dir", O_RDONLY | O_DIRECTORY));
  t.must(t->rmdir("dir"));
  t.expect_errno(t->openat(fd, "x", O_CREAT | O_WRONLY, 0644), ENOENT);
  t.expect_equal(t.must(t->fstat(fd)).nlink, 0u, "links of the removed directory");
}
