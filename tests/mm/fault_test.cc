// Faults, copies on write, the way back from a file to its mappings, pins, and buffers of calls that lie in a mapping.
#include <xip/vfs/iov_iter.h>

#include "toy_mapping.h"

namespace xip::mm::test {
namespace {

using FaultTest = MappingTest;

TEST_F(FaultTest, MapsAPageToBeReadAndAsksAgainForTheFirstStore) {
  const user_address at = map_file(0, 2);
  EXPECT_EQ(word_at(at), 0u);
  EXPECT_EQ(inode.write_faults, 0);
  put_word(at, 5);
  put_word(at + 4, 6);
  EXPECT_EQ(inode.write_faults, 1);
  EXPECT_EQ(inode.faults, 2);
  EXPECT_EQ(word_in_file(0), 5u);
  EXPECT_EQ(mm().faults().minor, 2u);
}

TEST_F(FaultTest, GivesAStoreIntoAPrivateMappingACopy) {
  const user_address shared = map_file(0, 2), copy = map_file(0, 2, false);
  put_word(shared, 1);
  put_word(copy, 2);  // nothing was mapped there: the hook copies
  EXPECT_EQ(inode.cow_faults, 1);
  put_word(shared + page_size, 3);
  EXPECT_EQ(word_at(copy + page_size), 3u);
  const int faults = inode.faults;
  put_word(copy + page_size, 4);  // the page was read before: nobody is asked
  EXPECT_EQ(inode.faults, faults);
  EXPECT_EQ(word_at(copy), 2u);
  EXPECT_EQ(word_at(copy + page_size), 4u);
  EXPECT_EQ(word_in_file(0), 1u);
  EXPECT_EQ(word_in_file(1), 3u);
}

TEST_F(FaultTest, UnmapsFromAllAddressSpacesAndCopiesOnlyWhenTold) {
  const user_address at = map_file(0, 4), copy = map_file(0, 4, false);
  put_word(at, 1);
  put_word(copy, 2);
  vfs::task_ptr other{kern.make_task().value()};
  const current_scope scope{other->context};
  mm_struct& theirs = *mm_struct::make_for(*other).value();
  const user_address there = theirs.map(0, 4 * page_size, vm_read | vm_shared | vm_mayread, 0, &opened, pgoff_t{0}).value();
  std::uint32_t word = 0;
  ASSERT_TRUE(load(*other, there, &word, sizeof word));
  unmap_mapping_range(inode, pgoff_t{0}, pgoff_t{0}, false);
  EXPECT_FALSE(mm().is_there(at, false));
  EXPECT_FALSE(theirs.is_there(there, false));
  EXPECT_EQ(word_at(copy), 2u);
  unmap_mapping_range(inode, pgoff_t{0}, last_pgoff, true);
  EXPECT_EQ(word_at(copy), 1u);
}

TEST_F(FaultTest, StoresFaultAgainAfterWriteProtection) {
  const user_address at = map_file(0, 4), copy = map_file(0, 4, false);
  put_word(at, 1);
  put_word(at + page_size, 1);
  put_word(copy, 1);
  write_protect_mapping_range(inode, pgoff_t{0}, pgoff_t{0});
  EXPECT_TRUE(mm().is_there(at, false));
  EXPECT_FALSE(mm().is_there(at, true));
  EXPECT_TRUE(mm().is_there(at + page_size, true));
  EXPECT_TRUE(mm().is_there(copy, true));
  const int write_faults = inode.write_faults;
  put_word(at, 2);
  EXPECT_EQ(inode.write_faults, write_faults + 1);
}

TEST_F(FaultTest, KeepsAPinnedPageAndItsFile) {
  const user_address at = map_file(3, 1), memory = map_memory(1);
  page_pin pin, anonymous;
  ASSERT_TRUE(pin_user_page(*task, at, true, pin));
  put_word(memory, 8);
  ASSERT_TRUE(pin_user_page(*task, memory, true, anonymous));
  ASSERT_TRUE(munmap(*task, at, page_size));
  ASSERT_TRUE(munmap(*task, memory, page_size));
  EXPECT_TRUE(is_pinned(inode, pgoff_t{3}, pgoff_t{3}));
  EXPECT_FALSE(is_pinned(inode, pgoff_t{4}, last_pgoff));
  EXPECT_EQ(opened.f_count, 2u);
  std::uint32_t word = 77;
  pin.write(0, &word, sizeof word);
  EXPECT_EQ(word_in_file(3), 77u);
  anonymous.read(0, &word, sizeof word);
  EXPECT_EQ(word, 8u);
  pin.unpin();
  EXPECT_FALSE(is_pinned(inode, pgoff_t{0}, last_pgoff));
  EXPECT_EQ(opened.f_count, 1u);
  wait_until_unpinned(inode, pgoff_t{0}, last_pgoff);
  page_pin none;
  EXPECT_EQ(pin_user_page(*task, at, false, none).error(), EFAULT);
}

// A buffer of a call: page by page, with faults or without.
TEST_F(FaultTest, LetsABufferLieInAMapping) {
  const user_address at = map_file(0, 3);
  put_word(at + page_size, 42);
  const iovec segment{user_pointer(at), 3 * page_size};
  const current_scope scope{task->context};
  std::vector<std::byte> bytes(3 * page_size, std::byte{1});
  vfs::iov_iter from{vfs::iter_direction::source, {&segment, 1}, 3 * page_size, task->uaccess};
  from.set_nofault(true);
  EXPECT_EQ(from.copy_from_iter(bytes.data(), bytes.size()), 0u);
  EXPECT_EQ(bytes[0], std::byte{1});
  from.set_nofault(false);
  EXPECT_EQ(from.fault_in(page_size), page_size);
  from.set_nofault(true);
  EXPECT_EQ(from.copy_from_iter(bytes.data(), bytes.size()), 2 * page_size);  // the second was there, the third is not
  EXPECT_EQ(bytes[page_size], std::byte{42});
  vfs::iov_iter to{vfs::iter_direction::dest, {&segment, 1}, 3 * page_size, task->uaccess};
  EXPECT_EQ(to.copy_to_iter(bytes.data(), bytes.size()), 3 * page_size);
  EXPECT_EQ(word_in_file(1), 42u);
  inode.pages = 2;
  unmap_mapping_range(inode, pgoff_t{0}, last_pgoff, true);
  vfs::iov_iter short_one{vfs::iter_direction::dest, {&segment, 1}, 3 * page_size, task->uaccess};
  EXPECT_EQ(short_one.fault_in(3 * page_size), 2 * page_size);
  EXPECT_EQ(short_one.copy_to_iter(bytes.data(), bytes.size()), 2 * page_size);
  const iovec plain{bytes.data(), 16};
  vfs::iov_iter in_process{vfs::iter_direction::dest, {&plain, 1}, 16, task->uaccess};
  EXPECT_EQ(in_process.zero(16), 16u);
  EXPECT_EQ(bytes[8], std::byte{0});
}

}  // namespace
}  // namespace xip::mm::test
