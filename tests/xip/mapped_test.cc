// Mapped files: what a fault maps, whom it asks, and what writes, syncs and truncates do to it.
#include "toy_mapping.h"

namespace xip::toy {
namespace {

using strings = std::vector<std::string>;

TEST_F(MappedTest, ALoadOfAHoleAllocatesNothing) {
  const mm::user_address at = map(0, 8);
  EXPECT_EQ(word_at(at + 4), 0u);
  EXPECT_EQ(file.inode.log, strings{});
  ASSERT_TRUE(entry(0));
  EXPECT_EQ(entry(0)->kind, entry_kind::zero);
  EXPECT_FALSE(space().is_there(at, true));
}

TEST_F(MappedTest, AStoreGetsAWrittenBlockOfZerosUnderAHandle) {
  ASSERT_TRUE(memory->write(100 << page_shift, std::vector<std::byte>(4 * block, std::byte{0xaa})));
  const mm::user_address at = map(0, 8);
  EXPECT_EQ(word_at(at), 0u);
  ASSERT_TRUE(put_word(at + 8, 5));
  EXPECT_EQ(file.inode.log, (strings{"start", "allocate", "convert", "stop"}));
  EXPECT_EQ(word_at(at), 0u);
  EXPECT_EQ(word_at(at + block - 4), 0u);
  EXPECT_TRUE(is_dirty(0));
  EXPECT_EQ(space().faults().major, 1u);
}

TEST_F(MappedTest, AStoreTakesTheZeroPageFromEveryAddressSpace) {
  vfs::task_ptr other{file.kern.make_task().value()};
  const mm::user_address at = map(0, 8), there = map_into(*other, 0, 8);
  std::uint32_t word = 1;
  ASSERT_TRUE(mm::load(*other, there, &word, sizeof word));
  ASSERT_TRUE(put_word(at, 6));
  ASSERT_TRUE(mm::load(*other, there, &word, sizeof word));
  EXPECT_EQ(word, 6u);
}

TEST_F(MappedTest, AWrittenBlockIsMappedToBeReadUntilItIsStoredTo) {
  put_extent(0, 2, 50, extent_type::mapped);
  const mm::user_address at = map(0, 8);
  EXPECT_EQ(word_at(at), word_on_device(50));
  EXPECT_FALSE(is_dirty(0));
  ASSERT_TRUE(put_word(at, 7));
  EXPECT_TRUE(is_dirty(0));
  EXPECT_EQ(word_on_device(50), 7u);
  EXPECT_EQ(file.inode.log, (strings{"start", "stop"}));
}

TEST_F(MappedTest, AWriteReplacesZeroPagesAndLeavesStoredPagesDirty) {
  const mm::user_address at = map(0, 8);
  EXPECT_EQ(word_at(at), 0u);
  EXPECT_EQ(word_at(at + 2 * block), 0u);
  ASSERT_TRUE(put_word(at + block, 1));
  const std::vector<std::uint32_t> data(2 * block / 4, 9);
  ASSERT_EQ(file.write(0, data.data(), 2 * block), 2 * block);
  EXPECT_EQ(word_at(at), 9u);
  EXPECT_EQ(word_at(at + block), 9u);
  EXPECT_EQ(entry(0)->kind, entry_kind::pfn);
  EXPECT_TRUE(is_dirty(1));
  EXPECT_EQ(entry(2)->kind, entry_kind::zero);
}

// The block was converted as the neighbour of another, for want of space in the tree.
TEST_F(MappedTest, AnOverwriteTakesAZeroPageThatIsThereAllTheSame) {
  const mm::user_address at = map(0, 8);
  EXPECT_EQ(word_at(at + block), 0u);
  put_extent(0, 4, 50, extent_type::mapped);
  const std::uint32_t word = 8;
  ASSERT_EQ(file.write(block, &word, sizeof word), sizeof word);
  EXPECT_EQ(word_at(at + block), 8u);
  EXPECT_FALSE(entry_table::of(file.inode).has_zeros());
}

TEST_F(MappedTest, APrivateStoreCopiesWithoutAHandle) {
  put_extent(0, 1, 50, extent_type::mapped);
  const mm::user_address at = map(0, 8, 0);
  ASSERT_TRUE(put_word(at, 1));
  ASSERT_TRUE(put_word(at + block, 2));
  EXPECT_EQ(file.inode.log, strings{});
  EXPECT_EQ(word_at(at), 1u);
  EXPECT_EQ(word_at(at + block), 2u);
  EXPECT_EQ(word_on_device(50), 0u);
  EXPECT_EQ(file.inode.extents.size(), 1u);
}

TEST_F(MappedTest, BehindTheEndThereIsNothing) {
  file.inode.i_size = block + 1;
  const mm::user_address at = map(0, 8);
  EXPECT_EQ(word_at(at + block), 0u);
  EXPECT_EQ(put_word(at + 2 * block, 1).error(), (mm::access_fault{mm::access_signal::bus_adrerr, at + 2 * block}));
}

TEST_F(MappedTest, LackOfSpaceIsWaitedForWithoutTheHandle) {
  const mm::user_address at = map(0, 8);
  file.inode.space_left = 0;
  EXPECT_EQ(word_at(at + 3 * block), 0u);
  ASSERT_TRUE(put_word(at, 1));
  EXPECT_EQ(file.inode.log, (strings{"start", "stop", "wait", "start", "allocate", "convert", "stop"}));
  EXPECT_EQ(put_word(at + block, 1).error().signal, mm::access_signal::bus_adrerr);
}

TEST_F(MappedTest, AnAnswerThatIsNoWrittenBlockIsAnError) {
  const mm::user_address at = map(0, 8);
  file.inode.lie = [](extent_map& em) { em.type = extent_type::unwritten; };
  EXPECT_EQ(put_word(at, 1).error().signal, mm::access_signal::bus_adrerr);
  file.inode.lie = [](extent_map& em) { em.pblk = pblk_t{device_pages}; };
  EXPECT_EQ(put_word(at + block, 1).error().signal, mm::access_signal::bus_adrerr);
  EXPECT_FALSE(space().is_there(at, false));
}

TEST_F(MappedTest, LackOfMemoryIsNoSignalOfTheFile) {
  const mm::user_address at = map(0, 8);
  file.inode.convert_error = ENOMEM;
  EXPECT_EQ(put_word(at, 1).error().signal, mm::access_signal::killed);
  file.inode.convert_error = EIO;
  EXPECT_EQ(put_word(at, 1).error().signal, mm::access_signal::bus_adrerr);
}

TEST_F(MappedTest, ASyncProtectsFlushesDrainsAndOnlyThenCleans) {
  const mm::user_address at = map(0, 8);
  ASSERT_TRUE(put_word(at, 1));
  file.inode.log.clear();
  fences.inode = &file.inode;
  fences.stores = 1;
  strings seen;
  {
    const point_caller points{*task, [&](point p) {
                                if (p == point::xip_write_protected) seen.push_back(space().is_there(at, true) ? "writable" : "protected");
                                if (p == point::xip_before_clean) seen.push_back(logged("drain") && is_dirty(0) ? "drained" : "too early");
                              }};
    const current_scope scope{task->context};
    ASSERT_TRUE(xip_writeback_range(file.inode, 0, INT64_MAX));
  }
  EXPECT_EQ(seen, (strings{"protected", "drained"}));
  EXPECT_FALSE(is_dirty(0));
  EXPECT_EQ(file.super.s_dirty_mappings, 0u);
  ASSERT_TRUE(put_word(at, 2));
  EXPECT_TRUE(is_dirty(0));
  EXPECT_EQ(file.super.s_dirty_mappings, 1u);
}

TEST_F(MappedTest, ASyncOfARangeLeavesTheRest) {
  const mm::user_address at = map(0, 8);
  for (unsigned i = 0; i < 4; ++i) ASSERT_TRUE(put_word(at + i * block, 1));
  ASSERT_TRUE(xip_writeback_range(file.inode, block + 1, 2 * block + 1));
  EXPECT_TRUE(is_dirty(0));
  EXPECT_FALSE(is_dirty(1));
  EXPECT_FALSE(is_dirty(2));
  EXPECT_TRUE(is_dirty(3));
}

TEST_F(MappedTest, ASyncOfADeadDeviceFails) {
  const mm::user_address at = map(0, 8);
  ASSERT_TRUE(put_word(at, 1));
  recorded->kill();
  EXPECT_EQ(xip_writeback_range(file.inode, 0, INT64_MAX).error(), EIO);
  EXPECT_TRUE(is_dirty(0));
  EXPECT_NE(file.inode.i_mapping.wb_err, 0u);
}

TEST_F(MappedTest, ATruncateTakesPagesEntriesAndPrivateCopies) {
  const mm::user_address at = map(0, 8), copy = map(0, 8, 0);
  ASSERT_TRUE(put_word(at, 1));
  ASSERT_TRUE(put_word(at + 2 * block, 1));
  ASSERT_TRUE(put_word(copy + 2 * block, 2));
  ASSERT_TRUE(put_word(copy, 2));
  exclusive_guard guard{file.inode.i_mapping.invalidate_lock};
  xip_drop_range(file.inode, pgoff_t{1}, mm::last_pgoff, true);
  EXPECT_TRUE(space().is_there(at, true));
  EXPECT_TRUE(space().is_there(copy, true));
  EXPECT_FALSE(space().is_there(at + 2 * block, false));
  EXPECT_FALSE(space().is_there(copy + 2 * block, false));
  EXPECT_TRUE(is_dirty(0));
  EXPECT_FALSE(entry(2));
}

TEST_F(MappedTest, ATruncateLooksAtThePageTablesAgainWhenTheEntriesAreGone) {
  const mm::user_address at = map(0, 8);
  ASSERT_TRUE(put_word(at, 1));
  // Somebody who has found the entry before it went, and uses it only now.
  const point_caller points{*task, [&](point p) {
                              if (p != point::xip_entries_dropped) return;
                              const mm::vm_area_struct area{.vm_mm = &space(),
                                                            .vm_start = at,
                                                            .vm_end = at + block,
                                                            .vm_flags = mm::vm_shared,
                                                            .vm_pgoff = pgoff_t{0},
                                                            .vm_file = &file.opened};
                              mm::vm_fault late{area, at, pgoff_t{0}, true};
                              mm::insert_pfn(late, mm::fault_order::pte, 100, nullptr, true);
                            }};
  const current_scope scope{task->context};
  exclusive_guard guard{file.inode.i_mapping.invalidate_lock};
  xip_drop_range(file.inode, pgoff_t{0}, mm::last_pgoff, true);
  EXPECT_FALSE(space().is_there(at, false));
}

TEST_F(MappedTest, APinnedPageKeepsItsRangeBusy) {
  const mm::user_address at = map(0, 8);
  mm::page_pin pin;
  ASSERT_TRUE(mm::pin_user_page(*task, at + block, true, pin));
  const auto busy = [this](std::uint64_t first) {
    exclusive_guard guard{file.inode.i_mapping.invalidate_lock};
    return xip_layout_busy(file.inode, pgoff_t{first}, mm::last_pgoff);
  };
  EXPECT_TRUE(busy(1));
  EXPECT_FALSE(space().is_there(at + block, false));
  EXPECT_FALSE(busy(2));
  pin.unpin();
  EXPECT_FALSE(busy(0));
}

TEST_F(MappedTest, AFileThatGrowsShowsNothingThatWasStoredBehindItsEnd) {
  put_extent(0, 1, 50, extent_type::mapped);
  file.inode.i_size = 100;
  const mm::user_address at = map(0, 1);
  ASSERT_TRUE(put_word(at + 200, 5));
  {
    exclusive_guard guard{file.inode.i_rwsem};
    std::optional<entry_range_lock> tail;
    ASSERT_TRUE(xip_zero_tail(file.inode, 100, 8192, ops, tail));
    EXPECT_FALSE(space().is_there(at, false));
    i_size_write(file.inode, 8192);
  }
  EXPECT_EQ(word_at(at + 200), 0u);
  EXPECT_TRUE(is_dirty(0));
}

TEST_F(MappedTest, MapSyncMapsOnlyWhenWhatLeadsThereIsDurable) {
  const mm::user_address at = map(0, 8, mm::vm_shared | mm::vm_sync);
  file.inode.lie = [](extent_map& em) { em.flags |= em_dirty; };
  ASSERT_TRUE(put_word(at, 1));
  EXPECT_EQ(file.inode.log, (strings{"start", "allocate", "convert", "stop", "sync"}));
  EXPECT_TRUE(is_dirty(0));
  // The entry goes while nobody has it locked: the store faults once more.
  int syncs = 0;
  file.inode.on_get_blocks = [&] {
    if (file.inode.log.back() != "sync" || syncs++ != 0) return;
    entry_range_lock lock{file.inode, pgoff_t{1}, pgoff_t{1}};
    lock.remove(pgoff_t{1});
  };
  ASSERT_TRUE(put_word(at + block, 2));
  EXPECT_EQ(std::ranges::count(file.inode.log, "sync"), 3);
  // Or it is of another block by then.
  syncs = 0;
  file.inode.on_get_blocks = [&] {
    if (file.inode.log.back() != "sync" || syncs++ != 0) return;
    entry_range_lock lock{file.inode, pgoff_t{2}, pgoff_t{2}};
    dax_entry other = lock.get(pgoff_t{2}).value();
    ++other.pfn;
    other.memory += block;
    ASSERT_TRUE(lock.put(other));
  };
  ASSERT_TRUE(put_word(at + 2 * block, 3));
  EXPECT_EQ(word_on_device(file.inode.find(lblk_t{2}, 1).pblk.value()), 3u);
  file.inode.on_get_blocks = nullptr;
  file.inode.lie = nullptr;
  file.inode.log.clear();
  put_extent(5, 1, 60, extent_type::mapped);
  ASSERT_TRUE(put_word(at + 5 * block, 1));
  EXPECT_FALSE(logged("sync"));
}

TEST_F(MappedTest, AWriteFromTheVeryPagesItFillsReturns) {
  const mm::user_address at = map(0, 8);
  ASSERT_TRUE(put_word(at + 4 * block, 3));
  ASSERT_TRUE(put_word(at + 5 * block, 4));
  const current_scope scope{task->context};
  EXPECT_EQ(file.write(0, mm::user_pointer(at), 2 * block, task->uaccess), 2 * block);  // holes of its own
  EXPECT_EQ(file.write(0, mm::user_pointer(at + 4 * block), 2 * block, task->uaccess), 2 * block);
  std::uint32_t words[2] = {};
  EXPECT_EQ(file.read(0, &words[0], 4), 4u);
  EXPECT_EQ(file.read(block, &words[1], 4), 4u);
  EXPECT_EQ(words[0], 3u);
  EXPECT_EQ(words[1], 4u);
  EXPECT_EQ(file.read(4 * block, mm::user_pointer(at + 6 * block), block, task->uaccess), block);
}

}  // namespace
}  // namespace xip::toy
