// What: the flag that asks for DAX is set and taken away while a file is mapped.
// Why: the way to a file's bytes must not change under a mapping, nor under an open descriptor; the flag counts when the inode is read in anew (Linux 559db4c6d784;
// xfstests generic/608).
// Groups: auto mmap. Needs: DAX.
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "helpers.h"
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

void ask_for_dax(run& t, int fd, bool wanted) {
  fsxattr attributes{};
  t.must(t->ioctl(fd, FS_IOC_FSGETXATTR, &attributes));
  attributes.fsx_xflags = wanted ? attributes.fsx_xflags | FS_XFLAG_DAX : attributes.fsx_xflags & ~std::uint32_t{FS_XFLAG_DAX};
  t.must(t->ioctl(fd, FS_IOC_FSSETXATTR, &attributes));
}

[[nodiscard]] bool is_dax(run& t, const char* name) {
  const vfs::kstat found = t.must(t->statx(vfs::at{AT_FDCWD}, name, 0, STATX_BASIC_STATS));
  return (found.attributes & STATX_ATTR_DAX) != 0;
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto mmap", "the flag for DAX against a mapping", .dax = true, .mount = "dax=inode") {
  const loff_t block = t.block_size();
  int fd = t.create("file");
  ask_for_dax(t, fd, true);
  t.put(fd, 0, static_cast<std::size_t>(2 * block), {.file = 1});
  t.must(t->close(fd));
  t.cycle();
  fd = t.must(t->open("file", O_RDWR));
  t.expect(is_dax(t, "file"), "the flag counts when the inode is read in");
  const user_address at = map_file(t, t.task(), fd, 2 * block);
  expect_store(t, t.task(), at, 7);
  ask_for_dax(t, fd, false);
  t.expect(is_dax(t, "file"), "and does not change it under a mapping");
  expect_store(t, t.task(), at + block, 8);
  expect_word(t, t.task(), fd, 0, at, 7);
  write_word(t, t.task(), fd, 8, 9);
  t.expect(load_word(t.task(), at + 8) == 9u, "calls and mapping show the same");
  t.must(t->close(fd));
  t.expect(is_dax(t, "file"), "a mapping keeps it as an open file does");
  expect_store(t, t.task(), at + 16, 10);
  t.must(mm::munmap(t.task(), at, 2 * block));
  t.cycle();
  fd = t.must(t->open("file", O_RDWR));
  t.expect(!is_dax(t, "file"), "it counts with the next one that reads the inode");
  t.expect_errno(mm::mmap(t.task(), 0, 2 * block, PROT_READ, MAP_SHARED, fd, 0), ENODEV);
  t.expect_equal(read_word(t, t.task(), fd, 0), 7u, "what was stored is there for the other way, too");
  t.expect_equal(read_word(t, t.task(), fd, block), 8u, "in all pages");
  t.expect_equal(read_word(t, t.task(), fd, 16), 10u, "also behind the last close");
  t.must(t->close(fd));
}
