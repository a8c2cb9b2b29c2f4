// What: STATX_ATTR_DAX: on files under dax=always and not on directories; on nothing under dax=never or without the flag under dax=inode.
// Why: the live state is what decides the path of a read; measured on ext4.
// Groups: auto quick dax. Needs: DAX.
#include <linux/stat.h>

#include "helpers.h"

XIP_SCENARIO("auto quick", "STATX_ATTR_DAX", .dax = true) {
  t.must(t->mkdir("dir", 0755));
  t.must(t->close(t.create("file")));
  const auto has_dax = [&](const char* path) {
    const auto s = t.must(t->statx(AT_FDCWD, path, 0, STATX_BASIC_STATS));
    t.expect((s.attributes_mask & STATX_ATTR_DAX) != 0, "the attribute is known");
    return (s.attributes & STATX_ATTR_DAX) != 0;
  };
  t.expect(has_dax("file"), "a file under dax=always has the attribute");
  t.expect(!has_dax("dir"), "a directory has not");
  t.umount();
  t.mount("dax=never");
  t.expect(!has_dax("file"), "a file under dax=never has not");
  t.umount();
  t.mount("dax=inode");
  t.expect(!has_dax("file"), "a file without the flag has not, under dax=inode");
  const auto changed = t.kernel().remount("/", "dax=always");
  t.expect(!changed.has_value(), "the option does not change by remount");
}
