// What: who may open, search, create, remove, change: owner, group, others; sticky directories; access().
// Why: permission bits mean the first class that matches, not the best one.
// Groups: auto quick perms. Needs: nothing.
#include <unistd.h>

#include "helpers.h"

XIP_SCENARIO("auto quick perms", "permission checks") {
  const auto owner = t.new_task({.uid = 1000, .gid = 1000});
  const auto member = t.new_task({.uid = 1001, .gid = 2000, .groups = {1000}});
  const auto other = t.new_task({.uid = 1002, .gid = 1002});
  t.must(t->close(t.create("file")));
  t.must(t->chown("file", 1000, 1000));
  // The owner may nothing, the group may read, others may write.
  t.must(t->chmod("file", 0042));
  t.expect_errno(owner->open("file", O_RDONLY), EACCES);
  t.must(member->open("file", O_RDONLY));
  t.expect_errno(member->open("file", O_WRONLY), EACCES);
  t.must(other->open("file", O_WRONLY));
  t.expect_errno(other->open("file", O_RDWR), EACCES);
  t.must(t->open("file", O_RDWR));
  t.expect_errno(other->open("file", O_RDONLY | O_TRUNC), EACCES);
  t.must(other->access("file", W_OK));
  t.expect_errno(other->access("file", R_OK), EACCES);
  t.expect_errno(t->access("file", X_OK), EACCES);
  t.must(other->truncate("file", 0));
  t.expect_errno(owner->truncate("file", 0), EACCES);

  t.expect_errno(other->chmod("file", 0777), EPERM);
  t.expect_errno(owner->chown("file", 1002, ~0u), EPERM);
  t.expect_errno(owner->chown("file", ~0u, 1002), EPERM);
  t.must(owner->chmod("file", 0600));

  t.must(t->mkdir("dir", 0755));
  t.must(t->close(t.create("dir/file")));
  t.expect_errno(other->open("dir/new", O_WRONLY | O_CREAT, 0644), EACCES);
  t.expect_errno(other->unlink("dir/file"), EACCES);
  t.expect_errno(other->mkdir("dir/new", 0755), EACCES);
  t.must(t->chmod("dir", 0744));
  t.expect_errno(other->stat("dir/file"), EACCES);
  t.must(other->open("dir", O_RDONLY | O_DIRECTORY));
  t.must(t->chmod("dir", 0711));
  t.must(other->stat("dir/file"));
  t.expect_errno(other->open("dir", O_RDONLY | O_DIRECTORY), EACCES);

  t.must(t->chmod("dir", 01777));
  t.must(owner->close(t.must(owner->open("dir/mine", O_WRONLY | O_CREAT, 0666))));
  t.expect_errno(other->unlink("dir/mine"), EPERM);
  t.must(owner->unlink("dir/mine"));
  t.expect_equal(t.must(t->stat("dir/file")).uid, 0u, "the owner of what root made");
}
