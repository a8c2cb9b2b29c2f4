// Entries of 2 MiB: when there is one, when pages have to do, and how the two meet. Linux's own mistakes there: docs of the races.

#include "toy_mapping.h"

namespace xip::toy {
namespace {

constexpr std::uint64_t huge = mm::pages_per_pmd;
constexpr auto huge_bytes = static_cast<loff_t>(mm::pmd_size);

class HugeTest : public MappedTest {
 protected:
  HugeTest() { file.inode.i_size = 4 * huge_bytes; }

  // One written stretch, at a border of the device.
  void put_huge(std::uint32_t lblk = 0) { put_extent(lblk, huge, 1024 + lblk, extent_type::mapped); }
  [[nodiscard]] bool is_huge(mm::user_address at) {
    bool found = false;
    space().for_each_entry([&](const mm::pte&, mm::user_address base, mm::fault_order order) {
      found = found || (order == mm::fault_order::pmd && base == (at & ~(mm::user_address{mm::pmd_size} - 1)));
    });
    return found;
  }
};

TEST_F(HugeTest, OneFaultMapsAllOfAWrittenStretch) {
  put_huge();
  const mm::user_address at = map(0, 2 * huge);
  EXPECT_EQ(at % mm::pmd_size, 0u);
  EXPECT_EQ(word_at(at + 77 * block), 0u);
  ASSERT_TRUE(is_huge(at));
  EXPECT_FALSE(is_dirty(0));
  ASSERT_TRUE(put_word(at + 511 * block, 5));
  ASSERT_TRUE(put_word(at + 3 * block, 6));
  EXPECT_EQ(word_on_device(1024 + 511), 5u);
  EXPECT_EQ(word_on_device(1024 + 3), 6u);
  EXPECT_EQ(space().faults().minor, 2u);
  EXPECT_EQ(entry_table::of(file.inode).size(), 1u);
  EXPECT_TRUE(is_dirty(200));
}

TEST_F(HugeTest, AStoreIntoAHoleAllocatesAllOfIt) {
  file.inode.next_free = 1024;
  const mm::user_address at = map(0, 2 * huge);
  EXPECT_EQ(word_at(at), 0u);
  EXPECT_TRUE(is_huge(at));  // zeros
  EXPECT_EQ(entry(300)->kind, entry_kind::zero);
  ASSERT_TRUE(put_word(at + 9 * block, 1));
  EXPECT_TRUE(is_huge(at));
  EXPECT_EQ(entry(300)->kind, entry_kind::pfn);
  EXPECT_EQ(file.inode.extents.size(), 1u);
  EXPECT_EQ(file.inode.extents[0].len, huge);
  EXPECT_EQ(word_at(at + 10 * block), 0u);
}

TEST_F(HugeTest, PagesHaveToDoWhereTheStretchIsShort) {
  put_extent(0, huge - 1, 1024, extent_type::mapped);
  const mm::user_address at = map(0, 2 * huge);
  ASSERT_TRUE(put_word(at, 1));
  EXPECT_FALSE(is_huge(at));
  EXPECT_EQ(entry(0)->pages, 1u);
  EXPECT_EQ(file.inode.extents.size(), 1u) << "what is too short was allocated all the same";
}

TEST_F(HugeTest, PagesHaveToDoWhereTheStretchLiesAcross) {
  put_extent(0, huge, 1025, extent_type::mapped);
  const mm::user_address at = map(0, 2 * huge);
  ASSERT_TRUE(put_word(at, 1));
  EXPECT_FALSE(is_huge(at));
}

TEST_F(HugeTest, PagesHaveToDoAtTheEndOfTheFileAndOfTheArea) {
  put_huge();
  put_huge(huge);
  file.inode.i_size = 2 * huge_bytes - 1 - static_cast<loff_t>(block);
  const mm::user_address at = map(0, 2 * huge);
  ASSERT_TRUE(put_word(at + mm::pmd_size, 1));
  EXPECT_FALSE(is_huge(at + mm::pmd_size));
  EXPECT_TRUE(put_word(at, 1));
  EXPECT_TRUE(is_huge(at));
  const mm::user_address part = map(0, huge - 1);
  ASSERT_TRUE(put_word(part, 2));
  EXPECT_FALSE(is_huge(part));
  EXPECT_EQ(word_at(at), 2u);
}

TEST_F(HugeTest, PagesHaveToDoWhereAddressAndOffsetDoNotAgree) {
  put_huge();
  const mm::user_address at = map(0, 2 * huge, mm::vm_shared, mm::mmap_base + 64 * mm::pmd_size + block);
  ASSERT_TRUE(put_word(at + 4 * block, 1));
  EXPECT_FALSE(is_huge(at + 4 * block));
}

TEST_F(HugeTest, PagesHaveToDoForAPrivateStore) {
  put_huge();
  const mm::user_address at = map(0, 2 * huge, 0);
  EXPECT_EQ(word_at(at), 0u);
  EXPECT_TRUE(is_huge(at));
  ASSERT_TRUE(put_word(at + block, 1));
  EXPECT_FALSE(is_huge(at));
  EXPECT_EQ(word_at(at), 0u);
  EXPECT_EQ(word_at(at + block), 1u);
  EXPECT_EQ(word_on_device(1025), 0u);
}

TEST_F(HugeTest, PagesHaveToDoBesidePoison) {
  auto faulty = dev::make_faulty(*memory);
  faulty->add({.kind = dev::fault_rule::what::poison, .offset = (1024 + 7) << page_shift, .bytes = 64});
  toy_file poisoned{*faulty};
  poisoned.opened.f_op = &file_operations;
  poisoned.opened.f_mode = vfs::fmode_read | vfs::fmode_write;
  poisoned.inode.i_size = huge_bytes;
  poisoned.inode.put({lblk_t{0}, huge, pblk_t{1024}, extent_type::mapped, 0});
  vfs::task_ptr me{poisoned.kern.make_task().value()};
  mm::user_address at = 0;
  {
    const current_scope scope{me->context};
    at = mm::mm_struct::make_for(*me)
             .value()
             ->map(0, huge << page_shift, mm::vm_read | mm::vm_write | mm::vm_shared, 0, &poisoned.opened, pgoff_t{0})
             .value();
  }
  std::uint32_t word = 1;
  EXPECT_TRUE(mm::store(*me, at, &word, sizeof word));
  EXPECT_EQ(mm::load(*me, at + 7 * block, &word, sizeof word).error().signal, mm::access_signal::bus_adrerr);
  me.reset();
}

// Linux 0e40de0338d0: only the first of the pages were looked at.
TEST_F(HugeTest, PagesHaveToDoBesideAnyPageThatIsMapped) {
  put_huge();
  vfs::task_ptr other{file.kern.make_task().value()};
  const mm::user_address part = map_into(*other, 500, 8), at = map(0, 2 * huge);
  std::uint32_t word = 3;
  ASSERT_TRUE(mm::store(*other, part + block, &word, sizeof word));
  ASSERT_TRUE(put_word(at, 1));
  EXPECT_FALSE(is_huge(at));
  EXPECT_EQ(entry_table::of(file.inode).size(), 2u);
  EXPECT_TRUE(is_dirty(501));
}

TEST_F(HugeTest, ZerosAreSplitWhenOnePageIsStoredTo) {
  const mm::user_address at = map(0, 2 * huge);
  EXPECT_EQ(word_at(at), 0u);
  ASSERT_TRUE(is_huge(at));
  const std::vector<std::byte> data(block, std::byte{4});
  ASSERT_EQ(file.write(5 * static_cast<loff_t>(block), data.data(), block), block);
  EXPECT_FALSE(is_huge(at));
  EXPECT_FALSE(entry(0));
  EXPECT_EQ(word_at(at + 5 * block), 0x04040404u);
  EXPECT_EQ(word_at(at + 6 * block), 0u);
}

TEST_F(HugeTest, APageOfAWholeMakesTheWholeDirty) {
  put_huge();
  const mm::user_address at = map(0, 2 * huge), part = map(8, 8);
  EXPECT_EQ(word_at(at), 0u);
  ASSERT_TRUE(put_word(part, 1));
  EXPECT_EQ(entry(0)->pages, mm::pages_per_pmd);
  EXPECT_TRUE(is_dirty(0));
  EXPECT_EQ(word_at(at + 8 * block), 1u);
  ASSERT_TRUE(xip_writeback_range(file.inode, 0, 1));
  EXPECT_FALSE(is_dirty(8));
  EXPECT_FALSE(space().is_there(part, true));
}

TEST_F(HugeTest, ATruncateIntoItsMiddleLosesNothingThatStays) {
  put_huge();
  const mm::user_address at = map(0, 2 * huge);
  ASSERT_TRUE(put_word(at, 1));
  fences.inode = &file.inode;
  fences.stores = 1;
  {
    exclusive_guard guard{file.inode.i_mapping.invalidate_lock};
    xip_drop_range(file.inode, pgoff_t{100}, mm::last_pgoff, true);
  }
  EXPECT_FALSE(is_huge(at));
  EXPECT_EQ(entry_table::of(file.inode).size(), 0u);
  EXPECT_TRUE(logged("drain"));
  EXPECT_EQ(word_at(at), 1u);
}

TEST_F(HugeTest, OneEntryIsOneLock) {
  put_huge();
  const mm::user_address at = map(0, 2 * huge);
  EXPECT_EQ(word_at(at), 0u);
  entry_range_lock lock{file.inode, pgoff_t{7}, pgoff_t{600}};
  EXPECT_EQ(lock.first(), pgoff_t{0});
  EXPECT_EQ(lock.last(), pgoff_t{600});
  lock.shrink_to(pgoff_t{9});
  EXPECT_EQ(lock.last(), pgoff_t{511});
}

TEST_F(HugeTest, ProtectingAPartGivesUpTheWholeOnlyWhereAStoreComes) {
  put_huge();
  const mm::user_address at = map(0, 2 * huge);
  ASSERT_TRUE(put_word(at, 1));
  ASSERT_TRUE(mm::mprotect(*task, at + block, block, PROT_READ));
  EXPECT_EQ(put_word(at + block, 2).error().signal, mm::access_signal::segv_accerr);
  ASSERT_TRUE(put_word(at, 3));
  ASSERT_TRUE(put_word(at + 2 * block, 4));
  EXPECT_FALSE(is_huge(at));
  EXPECT_EQ(word_at(at), 3u);
  ASSERT_TRUE(mm::munmap(*task, at, 2 * huge << page_shift));
  const mm::user_address again = map(0, 2 * huge);
  EXPECT_EQ(word_at(again + 2 * block), 4u);
}

}  // namespace
}  // namespace xip::toy
