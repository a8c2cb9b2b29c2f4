// What: a rename that leaves a whiteout: the old name is a device 0:0, also after a new mount, in small directories and in indexed ones.
// Why: overlays depend on it; the whiteout is made under the handle that renames.
// Groups: auto quick rename. Needs: nothing.
#include <linux/fs.h>

#include "helpers.h"

XIP_SCENARIO("auto quick rename", "whiteouts") {
  t.must(t->mkdir("dir", 0755));
  for (unsigned i = 0; i < 600; ++i) t.must(t->close(t.create("dir/" + numbered("name-", i))));
  t.must(t->mkdir("dir/sub", 0755));
  const std::uint32_t links = t.must(t->stat("dir")).nlink;
  for (unsigned i = 0; i < 600; i += 7)
    t.must(
        t->renameat2(AT_FDCWD, "dir/" + numbered("name-", i), AT_FDCWD, "dir/" + numbered("moved-to-a-longer-name-", i), RENAME_WHITEOUT));
  t.must(t->renameat2(AT_FDCWD, "dir/sub", AT_FDCWD, "sub", RENAME_WHITEOUT));
  t.cycle();
  for (unsigned i = 0; i < 600; i += 7) {
    const auto white = t.must(t->stat("dir/" + numbered("name-", i)));
    t.expect_equal(white.mode, std::uint32_t{S_IFCHR}, "mode of a whiteout");
    t.expect_equal(white.rdev, std::uint64_t{0}, "device of a whiteout");
    t.must(t->stat("dir/" + numbered("moved-to-a-longer-name-", i)));
  }
  t.expect_equal(t.must(t->stat("dir")).nlink, links - 1, "links of the directory that lost one");
  t.expect_equal(t.must(t->stat("dir/sub")).mode, std::uint32_t{S_IFCHR}, "mode of a directory's whiteout");
}
