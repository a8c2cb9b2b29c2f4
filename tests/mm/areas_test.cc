// Areas: where they lie, how they are cut and joined, and what becomes of their pages.
#include "toy_mapping.h"

namespace xip::mm::test {
namespace {

using AreasTest = MappingTest;

TEST_F(AreasTest, LieSideBySideAndAreOneWhereNothingTellsThemApart) {
  const user_address first = map_file(0, 4), second = map_file(4, 4);
  EXPECT_EQ(second, first + 4 * page_size);
  ASSERT_EQ(mm().areas().size(), 1u);
  EXPECT_EQ(mm().areas()[0].end, second + 4 * page_size);
  EXPECT_EQ(opened.f_count, 2u);
  static_cast<void>(map_file(0, 4));  // follows in memory, not in the file
  EXPECT_EQ(mm().areas().size(), 2u);
}

TEST_F(AreasTest, AreCutByUnmappingAndByProtectingTheirMiddle) {
  const user_address at = map_file(0, 8);
  EXPECT_TRUE(mprotect(*task, at + 2 * page_size, 2 * page_size, PROT_READ));
  EXPECT_EQ(mm().areas().size(), 3u);
  EXPECT_EQ(mm().areas()[1].pgoff, pgoff_t{2});
  EXPECT_EQ(mm().areas()[2].pgoff, pgoff_t{4});
  EXPECT_TRUE(mprotect(*task, at, 8 * page_size, PROT_READ | PROT_WRITE));
  EXPECT_EQ(mm().areas().size(), 1u);
  EXPECT_TRUE(munmap(*task, at + 3 * page_size, page_size));
  ASSERT_EQ(mm().areas().size(), 2u);
  EXPECT_EQ(mm().areas()[1].pgoff, pgoff_t{4});
  EXPECT_TRUE(munmap(*task, at, 8 * page_size));
  EXPECT_TRUE(mm().areas().empty());
}

TEST_F(AreasTest, TakeThePlaceOfOthersWhenFixedUnlessToldNotTo) {
  const user_address at = map_memory(8);
  put_word(at + 2 * page_size, 7);
  EXPECT_EQ(map_file(0, 2, true, at + 2 * page_size), at + 2 * page_size);
  EXPECT_EQ(mm().areas().size(), 3u);
  EXPECT_EQ(word_at(at + 2 * page_size), 0u);
  const auto refused = mmap(*task, at, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  EXPECT_EQ(refused.error(), EEXIST);
  EXPECT_EQ(mm().areas().size(), 3u);
}

TEST_F(AreasTest, RefuseWhatLinuxRefuses) {
  constexpr int memory = MAP_PRIVATE | MAP_ANONYMOUS;
  EXPECT_EQ(mmap(*task, 0, 0, PROT_READ, memory, -1, 0).error(), EINVAL);
  EXPECT_EQ(mmap(*task, 0, page_size, PROT_READ, memory, -1, 1).error(), EINVAL);
  EXPECT_EQ(mmap(*task, 0, page_size, PROT_READ, MAP_ANONYMOUS, -1, 0).error(), EINVAL);
  EXPECT_EQ(mmap(*task, 1, page_size, PROT_READ, memory | MAP_FIXED, -1, 0).error(), EINVAL);
  EXPECT_EQ(mmap(*task, 0, page_size, PROT_READ, MAP_SHARED, 5, 0).error(), EBADF);
  EXPECT_EQ(mmap(*task, 0, SIZE_MAX, PROT_READ, memory, -1, 0).error(), ENOMEM);
  EXPECT_EQ(munmap(*task, mmap_base + 1, page_size).error(), EINVAL);
  EXPECT_EQ(munmap(*task, mmap_base, 0).error(), EINVAL);
  EXPECT_EQ(mprotect(*task, mmap_base, page_size, PROT_READ).error(), ENOMEM);
  EXPECT_EQ(msync(*task, mmap_base, page_size, MS_SYNC).error(), ENOMEM);
  EXPECT_EQ(msync(*task, mmap_base, page_size, MS_SYNC | MS_ASYNC).error(), EINVAL);
  EXPECT_EQ(madvise(*task, mmap_base, page_size, MADV_DONTNEED).error(), ENOMEM);
  EXPECT_EQ(madvise(*task, mmap_base, page_size, 99).error(), EINVAL);
}

TEST_F(AreasTest, SignalAccessesThatAreNotAllowed) {
  const user_address at = map_memory(2);
  using enum access_signal;
  EXPECT_EQ(touch(at + 2 * page_size, false).error(), (access_fault{segv_maperr, at + 2 * page_size}));
  ASSERT_TRUE(mprotect(*task, at, page_size, PROT_READ));
  EXPECT_TRUE(touch(at, false));
  EXPECT_EQ(touch(at + 5, true).error(), (access_fault{segv_accerr, at + 5}));
  ASSERT_TRUE(mprotect(*task, at, page_size, PROT_NONE));
  EXPECT_EQ(touch(at, false).error(), (access_fault{segv_accerr, at}));
  const user_address file = map_file(62, 4);
  EXPECT_TRUE(touch(file + page_size, true));
  EXPECT_EQ(touch(file + 2 * page_size, false).error(), (access_fault{bus_adrerr, file + 2 * page_size}));
}

TEST_F(AreasTest, MoveOnlyWhatLiesBeforeAPageThatCannotBeHad) {
  const user_address at = map_memory(1);
  std::vector<std::byte> bytes(2 * page_size, std::byte{3});
  EXPECT_EQ(store(*task, at + page_size - 100, bytes.data(), 200).error().address, at + page_size);
  ASSERT_TRUE(load(*task, at, bytes.data(), page_size));
  EXPECT_EQ(bytes[page_size - 101], std::byte{0});
  EXPECT_EQ(bytes[page_size - 100], std::byte{3});
}

TEST_F(AreasTest, KeepWhatTheyHoldWhenRemapped) {
  const user_address at = map_memory(4);
  for (unsigned i = 0; i < 4; ++i) put_word(at + i * page_size, i + 1);
  EXPECT_EQ(mremap(*task, at, 4 * page_size, 6 * page_size, 0), at);
  const user_address wall = map_file(0, 1);
  EXPECT_EQ(wall, at + 6 * page_size);
  EXPECT_EQ(mremap(*task, at, 6 * page_size, 8 * page_size, 0).error(), ENOMEM);
  const user_address moved = mremap(*task, at, 6 * page_size, 8 * page_size, MREMAP_MAYMOVE).value();
  EXPECT_NE(moved, at);
  EXPECT_FALSE(touch(at, false));
  for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(word_at(moved + i * page_size), i + 1);
  EXPECT_EQ(word_at(moved + 7 * page_size), 0u);
  EXPECT_EQ(mremap(*task, moved, 8 * page_size, 2 * page_size, 0), moved);
  EXPECT_FALSE(touch(moved + 2 * page_size, false));
  EXPECT_EQ(mremap(*task, moved, 2 * page_size, 2 * page_size, MREMAP_MAYMOVE | MREMAP_FIXED, at), at);
  EXPECT_EQ(word_at(at + page_size), 2u);
  EXPECT_EQ(mremap(*task, at, 2 * page_size, page_size, MREMAP_MAYMOVE | MREMAP_FIXED, at + page_size).error(), EINVAL);
}

TEST_F(AreasTest, DoNotGrowPastTheEndOfTheAddressSpace) {
  const user_address at = map_memory(2);
  for (const std::size_t size : {std::size_t{0xFF00'0000'0000'1000}, task_size - at + page_size, ~std::size_t{0} & ~(page_size - 1)}) {
    EXPECT_EQ(mremap(*task, at, 2 * page_size, size, 0).error(), ENOMEM);
    EXPECT_EQ(mremap(*task, at, 2 * page_size, size, MREMAP_MAYMOVE).error(), ENOMEM);
  }
  EXPECT_EQ(mremap(*task, at, 2 * page_size, page_size, MREMAP_MAYMOVE | MREMAP_FIXED, task_size).error(), EINVAL);
  EXPECT_EQ(mremap(*task, at, 2 * page_size, 2 * page_size, MREMAP_MAYMOVE | MREMAP_FIXED, at & (pmd_size - 1)).error(), EINVAL);
  const user_address file = map_file(0, 1);
  EXPECT_EQ(mremap(*task, file, page_size, task_size - mmap_base, MREMAP_MAYMOVE).error(), ENOMEM);
  put_word(at, 1);
  EXPECT_EQ(word_at(at), 1u);
}

TEST_F(AreasTest, AnswerForRangesAsLinuxDoes) {
  const user_address at = map_memory(1);
  constexpr std::size_t too_long = ~std::size_t{0} - 100;
  EXPECT_EQ(munmap(*task, at, too_long).error(), EINVAL);
  EXPECT_EQ(madvise(*task, at, too_long, MADV_DONTNEED).error(), EINVAL);
  EXPECT_EQ(madvise(*task, at, 2 * page_size, MADV_WILLNEED).error(), ENOMEM);
  EXPECT_EQ(mprotect(*task, at, too_long, PROT_READ).error(), ENOMEM);
  EXPECT_EQ(mremap(*task, at, too_long, page_size, 0).error(), EFAULT);
  EXPECT_EQ(mmap(*task, 0, 0, PROT_READ, MAP_SHARED, 77, 0).error(), EBADF);
  EXPECT_TRUE(mmap(*task, 0, page_size, PROT_READ | 0x40, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0));
  // What lies before a gap has its new rights all the same.
  EXPECT_EQ(mprotect(*task, at, 1024 * page_size, PROT_READ).error(), ENOMEM);
  EXPECT_FALSE(touch(at, true));
  EXPECT_TRUE(touch(at, false));
}

TEST_F(AreasTest, MoveTheEntriesOfAFileAlong) {
  const user_address at = map_file(0, 2);
  put_word(at, 5);
  const user_address moved = mremap(*task, at, 2 * page_size, 3 * page_size, MREMAP_MAYMOVE | MREMAP_FIXED, at + pmd_size).value();
  const int faults = inode.faults;
  EXPECT_EQ(word_at(moved), 5u);
  EXPECT_EQ(inode.faults, faults);
  unmap_mapping_range(inode, pgoff_t{0}, pgoff_t{0}, true);
  EXPECT_EQ(word_at(moved), 5u);
  EXPECT_EQ(inode.faults, faults + 1);
}

TEST_F(AreasTest, AreZerosAgainAfterDontneed) {
  const user_address memory = map_memory(2), copy = map_file(0, 1, false);
  put_word(memory, 1);
  put_word(copy, 2);
  EXPECT_TRUE(madvise(*task, memory, 2 * page_size, MADV_DONTNEED));
  EXPECT_TRUE(madvise(*task, copy, page_size, MADV_DONTNEED));
  EXPECT_EQ(word_at(memory), 0u);
  EXPECT_EQ(word_at(copy), word_in_file(0));
}

TEST_F(AreasTest, ArePopulatedWhenAsked) {
  const user_address at = mmap(*task, 0, 3 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0).value();
  for (unsigned i = 0; i < 3; ++i) EXPECT_TRUE(mm().is_there(at + i * page_size, true));
}

TEST_F(AreasTest, AreSharedByAForkedTask) {
  const user_address at = map_memory(1);
  put_word(at, 9);
  vfs::task_ptr child{kern.fork_task(*task, "child").value()};
  std::uint32_t word = 0;
  EXPECT_TRUE(load(*child, at, &word, sizeof word));
  EXPECT_EQ(word, 9u);
  ASSERT_TRUE(mm_struct::make_for(*child));
  EXPECT_EQ(load(*child, at, &word, sizeof word).error().signal, access_signal::segv_maperr);
  EXPECT_EQ(word_at(at), 9u);
}

// Fails the allocation number LEFT.
class scarce_memory final : public point_sink {
 public:
  explicit scarce_memory(vfs::task& task) : task_{task} { task_.context.points = this; }
  ~scarce_memory() { task_.context.points = nullptr; }
  void on_point(point, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {}
  int inject(point p, std::uint64_t, std::uint64_t) noexcept override { return p == point::alloc_memory && left-- == 0 ? ENOMEM : 0; }
  int left = -1;

 private:
  vfs::task& task_;
};

TEST_F(AreasTest, RunOutOfMemoryInOnePiece) {
  const user_address at = map_file(0, 8);
  put_word(at, 1);
  scarce_memory memory{*task};
  int refused = 0;
  for (int place = 0; place < 10; ++place) {
    memory.left = place;
    const auto cut = mprotect(*task, at + page_size, page_size, PROT_READ);
    memory.left = -1;
    refused += cut ? 0 : 1;
    EXPECT_TRUE(cut || cut.error() == ENOMEM);
    ASSERT_TRUE(mprotect(*task, at, 8 * page_size, PROT_READ | PROT_WRITE));
    EXPECT_EQ(mm().areas().size(), 1u);
  }
  EXPECT_GE(refused, 2);
  const user_address far = map_memory(600);
  memory.left = 0;  // the table
  EXPECT_EQ(touch(far + 599 * page_size, true).error().signal, access_signal::killed);
  memory.left = 2;  // the page
  EXPECT_EQ(touch(far + 599 * page_size, true).error().signal, access_signal::killed);
  memory.left = 0;
  EXPECT_EQ(mmap(*task, 0, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0).error(), ENOMEM);
  memory.left = -1;
  EXPECT_TRUE(touch(far + 599 * page_size, true));
  EXPECT_EQ(word_at(at), 1u);
}

}  // namespace
}  // namespace xip::mm::test
