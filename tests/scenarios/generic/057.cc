// What: no inode is left: create and mkdir say ENOSPC, the directory is as it was; an unlink makes room for one.
// Why: inodes end before blocks do.
// Groups: auto quick enospc. Needs: a fresh image of its own geometry.
#include "helpers.h"

XIP_SCENARIO("auto quick enospc", "running out of inodes", .mkfs = "-b 4096 -N 64") {
  unsigned made = 0;
  for (;; ++made) {
    const auto fd = t->open(numbered("f", made), O_WRONLY | O_CREAT, 0644);
    if (!fd) {
      t.expect_errno(fd, ENOSPC);
      break;
    }
    t.must(t->close(*fd));
  }
  t.expect(made >= 32, "many files could be made");
  t.expect_equal(t.must(t->statfs(".")).ffree, 0u, "free inodes");
  t.expect_errno(t->mkdir("dir", 0755), ENOSPC);
  t.expect_errno(t->stat("dir"), ENOENT);
  t.must(t->unlink("f3"));
  t.must(t.kernel().sync());
  t.must(t->mkdir("dir", 0755));
  t.expect_errno(t->open("dir/x", O_WRONLY | O_CREAT, 0644), ENOSPC);
  t.expect_equal(t.names_in("dir").size(), 0u, "names in the new directory");
}
