// What: the flag that asks for DAX is taken away from a file that is open and mapped, and is mapped once more.
// Why: how a file's bytes are reached is settled when its inode is read in; a program that was told STATX_ATTR_DAX maps what it has open (Linux 559db4c6d784; xfstests
// generic/608).
// Operations: FS_IOC_FSSETXATTR and statx; a store, one more mapping, a load there, pwrite of the other block.
// Invariant: it is a file for DAX as long as it is open, and all three ways to its bytes show the same.
// Groups: auto mmap dax attr. Needs: DAX.
#include <linux/fs.h>
#include <linux/stat.h>

#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true, .mount = "dax=inode"};
  static constexpr race_options options{.mount = "dax=inode"};

  void setup() {
    must(task().mkdir("asking", 0755));
    const int directory = must(task().open("asking", O_RDONLY));
    ask_for_dax(task(), directory, true);
    must(task().close(directory));
    fd = create("asking/file");
    must(task().ftruncate(fd, 2 * block()));
    expect(is_dax(task()), "a file inherits the flag");
    at = map_file(*this, task(), fd, 2 * block());
  }
  void changer(vfs::task& me) {
    ask_for_dax(me, fd, false);
    expect(is_dax(me), "the flag does not count while the file is open");
  }
  void mapper(vfs::task& me) {
    expect_store(*this, me, at, 7);
    const user_address again = map_file(*this, me, fd, 2 * block());
    expect(load_word(me, again) == 7u, "both mappings show what was stored");
    write_word(*this, me, fd, block(), 8);
    expect(load_word(me, again + block()) == 8u, "and what was written");
    must(mm::munmap(me, again, 2 * block()));
  }
  void check() {
    expect(is_dax(task()), "the flag does not count while the file is open");
    expect_word(*this, task(), fd, 0, at, 7);
    expect_word(*this, task(), fd, block(), at + block(), 8);
  }

 private:
  void ask_for_dax(vfs::task& me, int of, bool wanted) const {
    fsxattr attributes{};
    must(me.ioctl(of, FS_IOC_FSGETXATTR, &attributes));
    attributes.fsx_xflags = wanted ? attributes.fsx_xflags | FS_XFLAG_DAX : attributes.fsx_xflags & ~std::uint32_t{FS_XFLAG_DAX};
    must(me.ioctl(of, FS_IOC_FSSETXATTR, &attributes));
  }
  [[nodiscard]] bool is_dax(vfs::task& me) const { return (must(me.fstat(fd)).attributes & STATX_ATTR_DAX) != 0; }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax attr", "the flag for DAX against a file that is mapped", {"changer", &scene::changer},
         {"mapper", &scene::mapper})
