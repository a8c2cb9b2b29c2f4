// What: a block of the device goes bad under a file.
// Why: a read of it fails, a load is signalled, what lies beside it can be had; whole pages that are written over heal it, parts do not (Linux: DAX_RECOVERY_WRITE).
// Groups: auto mmap. Needs: DAX.
#include <xip/dev/devices.h>

#include "helpers.h"
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

void use_bad_block(run& t, vfs::task& me, const std::string& path, dev::faulty_device& faulty) {
  const loff_t block = t.block_size();
  const auto bytes_of_block = static_cast<std::size_t>(block);
  const int fd = t.must(me.open(path, O_RDWR | O_CREAT, 0644));
  t.put(me, fd, 0, 4 * bytes_of_block, {.file = 1});
  std::vector<vfs::fiemap_extent> extents;
  t.must(me.fiemap(fd, 0, INT64_MAX, extents));
  const user_address at = map_file(t, me, fd, 4 * bytes_of_block);
  faulty.add({.kind = dev::fault_rule::what::poison, .offset = extents.at(0).physical + bytes_of_block, .bytes = 64});

  std::vector<std::byte> bytes(bytes_of_block);
  t.expect_errno(me.pread(fd, bytes.data(), 100, block), EIO);
  t.expect(!load_word(me, at + block), "a load of a bad block is signalled");
  t.expect(!store_word(me, at + block, 1), "a store, too");
  t.expect(load_word(me, at).has_value() && load_word(me, at + 2 * block).has_value(), "its neighbours are there");
  t.expect_data(me, fd, 2 * block, bytes.size(), {.file = 1});
  t.expect_answer(me.pread(fd, bytes.data(), bytes.size(), 0), bytes.size());
  const std::uint64_t word = 3;
  t.expect_errno(me.pwrite(fd, &word, sizeof word, block), EIO);
  t.put(me, fd, block, bytes.size(), {.file = 1, .generation = 2});
  t.expect_data(me, fd, block, bytes.size(), {.file = 1, .generation = 2});
  t.expect(load_word(me, at + block).has_value(), "what was written over as a whole can be loaded");
  expect_store(t, me, at + block + 8, 4);
  expect_word(t, me, fd, block + 8, at + block + 8, 4);
  t.must(mm::munmap(me, at, 4 * bytes_of_block));
  t.must(me.close(fd));
}

// Preallocated blocks, of which one is bad: whole pages go over it, whether blocks are zeroed first or not.
void fill_bad_block(run& t, vfs::task& me, const std::string& path, dev::faulty_device& faulty) {
  const loff_t block = t.block_size();
  const auto bytes_of_block = static_cast<std::size_t>(block);
  const int fd = t.must(me.open(path, O_RDWR | O_CREAT, 0644));
  t.must(me.fallocate(fd, 0, 0, 4 * block));
  std::vector<vfs::fiemap_extent> extents;
  t.must(me.fiemap(fd, 0, INT64_MAX, extents));
  faulty.add({.kind = dev::fault_rule::what::poison, .offset = extents.at(0).physical + bytes_of_block, .bytes = 64});
  t.put(me, fd, 0, 4 * bytes_of_block, {.file = 2});
  t.expect_data(me, fd, 0, 4 * bytes_of_block, {.file = 2});
  t.must(me.close(fd));
}

// Bad blocks that a file gives up, or makes unwritten: they can be had again, and what is put there heals them.
void drop_bad_blocks(run& t, vfs::task& me, const std::string& path, dev::faulty_device& faulty) {
  const loff_t block = t.block_size();
  const auto bytes_of_block = static_cast<std::size_t>(block);
  const int fd = t.must(me.open(path, O_RDWR | O_CREAT, 0644));
  t.put(me, fd, 0, 4 * bytes_of_block, {.file = 3});
  std::vector<vfs::fiemap_extent> extents;
  t.must(me.fiemap(fd, 0, INT64_MAX, extents));
  const user_address at = map_file(t, me, fd, 4 * bytes_of_block);
  faulty.add({.kind = dev::fault_rule::what::poison, .offset = extents.at(0).physical + bytes_of_block, .bytes = 2 * bytes_of_block});
  t.must(me.fallocate(fd, FALLOC_FL_ZERO_RANGE, block, block));
  t.must(me.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * block, block));
  t.expect_zeros(me, fd, block, 2 * bytes_of_block);
  for (int i = 1; i <= 2; ++i) {
    t.expect(load_word(me, at + i * block) == 0u, "zeros where nothing is written");
    expect_store(t, me, at + i * block + 8, 5);
    expect_word(t, me, fd, i * block + 8, at + i * block + 8, 5);
  }
  t.must(me.fsync(fd));
  t.expect_data(me, fd, 3 * block, bytes_of_block, {.file = 3});
  t.must(mm::munmap(me, at, 4 * bytes_of_block));
  t.must(me.close(fd));
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto mmap", "a bad block under a mapping", .dax = true) {
  if (t.has_pointers()) t.skip("needs a model: a file on a decorator cannot be mapped by pointers");
  const auto faulty = dev::make_faulty(t.second_device(32 * mib));
  t.must(t->mkdir("mnt", 0755));
  const std::string place = t.directory() + "/mnt";
  for (const char* options : {"dax=always", "dax=always,zero=alloc"}) {
    const auto mounted = t.kernel().mount(t.file_system(), *faulty, place, options);
    t.expect(mounted.has_value(), mounted ? "" : mounted.error().message);
    try {
      const vfs::task_ptr other = t.new_task();
      use_bad_block(t, *other, place + "/file", *faulty);
      fill_bad_block(t, *other, place + "/preallocated", *faulty);
      drop_bad_blocks(t, *other, place + "/dropped", *faulty);
      t.must(other->unlink(place + "/file"));
      t.must(other->unlink(place + "/preallocated"));
      t.must(other->unlink(place + "/dropped"));
    } catch (...) {
      static_cast<void>(t.kernel().umount(place));  // before its device goes
      throw;
    }
    t.must(t.kernel().umount(place));
  }
}
