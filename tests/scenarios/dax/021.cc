// What: the flag that asks for DAX is inherited from directories, and counts as the mount option says.
// Why: a program that is told STATX_ATTR_DAX maps the device, and one that is not must not (xfstests generic/605 to 608).
// Groups: auto quick attr mmap. Needs: DAX.
#include <linux/fs.h>

#include "helpers.h"
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

[[nodiscard]] bool asks_for_dax(run& t, const char* path) {
  const int fd = t.must(t->open(path, O_RDONLY));
  fsxattr attributes{};
  t.must(t->ioctl(fd, FS_IOC_FSGETXATTR, &attributes));
  t.must(t->close(fd));
  return (attributes.fsx_xflags & FS_XFLAG_DAX) != 0;
}
void ask_for_dax(run& t, const char* path, bool wanted) {
  const int fd = t.must(t->open(path, O_RDONLY));
  fsxattr attributes{};
  t.must(t->ioctl(fd, FS_IOC_FSGETXATTR, &attributes));
  attributes.fsx_xflags = wanted ? attributes.fsx_xflags | FS_XFLAG_DAX : attributes.fsx_xflags & ~std::uint32_t{FS_XFLAG_DAX};
  t.must(t->ioctl(fd, FS_IOC_FSSETXATTR, &attributes));
  t.must(t->close(fd));
}
[[nodiscard]] bool is_dax(run& t, const char* path) {
  const vfs::kstat found = t.must(t->statx(vfs::at{AT_FDCWD}, path, 0, STATX_BASIC_STATS));
  t.expect((found.attributes_mask & STATX_ATTR_DAX) != 0, "whether it is DAX is always told");
  return (found.attributes & STATX_ATTR_DAX) != 0;
}
// Of a file that asks for it, and one that does not.
void expect_dax(run& t, bool asking, bool other) {
  t.expect_equal(is_dax(t, "asking/sub/file"), asking, "a file that asks for DAX");
  t.expect_equal(is_dax(t, "plain"), other, "a file that does not");
  t.expect(!is_dax(t, "asking") && !is_dax(t, "asking/sub"), "a directory is never DAX");
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick attr mmap", "the flag for DAX, inherited and obeyed", .dax = true, .mount = "dax=inode") {
  t.must(t->mkdir("asking", 0755));
  ask_for_dax(t, "asking", true);
  t.must(t->mkdir("asking/sub", 0755));
  t.must(t->close(t.create("asking/sub/file")));
  t.must(t->close(t.create("plain")));
  for (const char* path : {"asking", "asking/sub", "asking/sub/file"}) t.expect(asks_for_dax(t, path), "the flag is inherited");
  t.expect(!asks_for_dax(t, "plain"), "from nowhere else");
  expect_dax(t, true, false);
  ask_for_dax(t, "asking", false);
  t.expect(asks_for_dax(t, "asking/sub/file"), "what was inherited stays");
  for (const auto& [options, asking, other] :
       {std::tuple{"dax=never", false, false}, {"dax=always", true, true}, {"dax=inode", true, false}}) {
    t.umount();
    t.mount(options);
    expect_dax(t, asking, other);
    ask_for_dax(t, "plain", true);  // at any time, and under any option
    t.expect(asks_for_dax(t, "plain"), "the flag is kept");
    ask_for_dax(t, "plain", false);
  }
  const int fd = t.create("cloned"), from = t.must(t->open("plain", O_RDONLY));
  t.expect_errno(t->ioctl(fd, FICLONE, reinterpret_cast<void*>(std::intptr_t{from})), EOPNOTSUPP);
  t.must(t->close(fd));
  t.must(t->close(from));
}
