// What: symlinks that debugfs made: followed, read, looped, dangling, absolute, in the middle of paths, short and long.
// Why: foreign images have them; 40 is how many Linux follows.
// Groups: auto quick symlink. Needs: debugfs, a fresh image.
#include "helpers.h"

XIP_SCENARIO("auto quick symlink", "symlinks and their loops", .fresh = true, .tool = "debugfs") {
  t.must(t->mkdir("dir", 0755));
  const int fd = t.create("dir/file");
  t.put(fd, 0, 100, {.file = 39});
  t.must(t->close(fd));
  t.umount();
  const auto link = [&](const std::string& name, const std::string& target) {
    static_cast<void>(t.debugfs("symlink " + name + " " + target));
  };
  link("/plain", "dir/file");
  link("/absolute", "/dir/file");
  link("/todir", "dir");
  link("/dangling", "none");
  link("/a", "b");
  link("/b", "a");
  link("/self", "self");
  link("/long", "./././././././././././././././././././././././././././././././././././dir/file");
  link("/n0", "dir/file");
  for (unsigned i = 1; i <= 45; ++i) link("/" + numbered("n", i), numbered("n", i - 1));
  t.fsck();
  t.mount();
  for (const char* name : {"plain", "absolute", "todir/file", "long", "todir/../plain", "n39"}) {
    const int through = t.must(t->open(name, O_RDONLY));
    t.expect_data(through, 0, 100, {.file = 39});
    t.must(t->close(through));
  }
  t.expect_errno(t->open("n40", O_RDONLY), ELOOP);
  for (const char* name : {"a", "b", "self", "self/x"}) t.expect_errno(t->open(name, O_RDONLY), ELOOP);
  t.expect_errno(t->open("plain", O_RDONLY | O_NOFOLLOW), ELOOP);
  t.expect_errno(t->open("dangling", O_RDONLY), ENOENT);
  t.expect_errno(t->open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
  t.expect_equal(t.must(t->readlink("plain")), std::string{"dir/file"}, "the target");
  t.expect_errno(t->readlink("dir"), EINVAL);
  t.expect(S_ISLNK(t.must(t->lstat("plain")).mode), "lstat sees the link");
  t.expect(S_ISREG(t.must(t->stat("plain")).mode), "stat sees the file");
  t.must(t->close(t.must(t->open("dangling", O_WRONLY | O_CREAT, 0644))));
  t.must(t->stat("none"));
  t.must(t->unlink("self"));
  t.must(t->unlink("long"));
  t.expect_errno(t->rmdir("todir"), ENOTDIR);
  t.must(t->unlink("todir"));
  t.must(t->stat("dir/file"));
}
