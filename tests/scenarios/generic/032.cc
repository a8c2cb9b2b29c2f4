// What: umask, modes and owners of what is made; a set-group-ID directory hands its group on.
// Why: the rules for new inodes, kept over a new mount; user numbers above 65,535 have two halves on disk.
// Groups: auto quick perms. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick perms", "owners and modes of new files") {
  t.must(t->chmod(".", 0777));
  auto user = t.new_task({.uid = 100'000, .gid = 200'000});
  user->umask(027);
  t.must(user->close(t.must(user->open("file", O_WRONLY | O_CREAT, 0666))));
  t.must(user->mkdir("dir", 0777));
  t.expect_equal(user->umask(0), 027u, "the umask that was");
  t.must(user->mkdir("open", 01777));
  t.must(t->mkdir("shared", 0777));
  t.must(t->chown("shared", 0, 4242));
  t.must(t->chmod("shared", 02777));
  t.must(user->mkdir("shared/sub", 0755));
  t.must(user->close(t.must(user->open("shared/file", O_WRONLY | O_CREAT, 0644))));
  user.reset();
  t.cycle();
  const auto expect = [&](const char* path, unsigned mode, unsigned uid, unsigned gid) {
    const auto s = t.must(t->stat(path));
    t.expect_equal(s.mode & 07777u, mode, path);
    t.expect_equal(s.uid, uid, path);
    t.expect_equal(s.gid, gid, path);
  };
  expect("file", 0640, 100'000, 200'000);
  expect("dir", 0750, 100'000, 200'000);
  expect("open", 01777, 100'000, 200'000);
  expect("shared/sub", 02755, 100'000, 4242);
  expect("shared/file", 0644, 100'000, 4242);
}
