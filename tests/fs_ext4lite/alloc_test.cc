// Blocks: placement, reserve, freeing, and that nothing freed comes back before its commit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include <fcntl.h>

#include <fmt/format.h>

#include "fs_ext4lite/bitmap.h"
#include "fs_ext4lite/group.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite::test {
namespace {

using testing::HasSubstr;

// The root inode stands for any inode: allocation keeps its i_blocks only.
struct Alloc : testing::TestWithParam<const char*> {
  image disk = make_image(fmt::format("-b 1024 -g 1024 -m 0 -O {}", GetParam()), "8M");
  bare_mount m{disk};
  std::uint64_t blocks_of_root = 0;

  void SetUp() override {
    ASSERT_TRUE(m.ok()) << m.failure();
    blocks_of_root = m.root().i_blocks;
  }
  [[nodiscard]] result<allocated> alloc(pblk_t goal, std::uint32_t want, std::uint32_t flags = 0) {
    handle h = *journal_start(m.sb(), 2);
    return alloc_blocks(h, m.root(), goal, want, flags);
  }
  [[nodiscard]] result<> free(pblk_t first, std::uint32_t count, std::uint32_t groups = 1) {
    handle h = *journal_start(m.sb(), 2 * groups);
    return free_blocks(h, m.root(), first, count, false);
  }
  // Group G has been written to: it has a bitmap.
  void write_to(std::uint32_t g) {
    const auto got = alloc(middle_of(g) - 50, 1);
    ASSERT_TRUE(got && free(got->first, 1));
  }
  // A stretch of free blocks in the middle of group G.
  [[nodiscard]] pblk_t middle_of(std::uint32_t g) { return first_block_of(m.sb(), group_t{g}) + 700; }
};

TEST_P(Alloc, TakesTheGoalAndWhatFollows) {
  const auto got = alloc(middle_of(1), 10);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->first, middle_of(1));
  EXPECT_EQ(got->count, 10u);
  EXPECT_EQ(m.root().i_blocks, blocks_of_root + 20);
  ASSERT_TRUE(free(got->first, got->count));
  EXPECT_EQ(m.root().i_blocks, blocks_of_root);
  m.unmount_and_check(disk);
}

TEST_P(Alloc, AppendsAfterTheLast) {
  pblk_t goal = middle_of(1);
  for (int i = 0; i < 20; ++i) {
    const auto got = alloc(goal, 3);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->first, goal);
    goal = got->first + got->count;
  }
}

TEST_P(Alloc, SkipsAHoleThatIsTooSmall) {
  const pblk_t at = middle_of(1);
  ASSERT_TRUE(alloc(at + 4, 4));  // leaves four blocks before it
  const auto got = alloc(at, 40);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->count, 40u);
  EXPECT_EQ(got->first, at + 8);
}

TEST_P(Alloc, GoesToAnotherGroupForALongRun) {
  const pblk_t goal = first_block_of(m.sb(), group_t{2}) - 4;
  ASSERT_TRUE(alloc(middle_of(1), 8));
  const auto got = alloc(goal, 800);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->count, 800u);
  EXPECT_NE(group_of(m.sb(), got->first), group_t{1});
}

TEST_P(Alloc, TakesTheLongestRunWhenNoneIsLongEnough) {
  const auto got = alloc(middle_of(0), 100000);
  ASSERT_TRUE(got);
  EXPECT_GT(got->count, 300u);
  EXPECT_LE(got->count, m.sb().s_blocks_per_group);
}

TEST_P(Alloc, HandsOutEveryBlockOnceAndThenNone) {
  std::set<std::uint64_t> seen;
  const auto total = static_cast<std::uint64_t>(m.sb().s_freeblocks);
  for (;;) {
    const auto got = alloc(middle_of(2), 37, alloc_use_reserved);
    if (!got) {
      EXPECT_EQ(got.error(), ENOSPC);
      break;
    }
    for (std::uint32_t i = 0; i < got->count; ++i) EXPECT_TRUE(seen.insert((got->first + i).value()).second);
  }
  EXPECT_EQ(seen.size(), total);
  EXPECT_EQ(m.sb().s_freeblocks, 0);
  for (const std::uint64_t b : seen) ASSERT_TRUE(free(pblk_t{b}, 1));
  m.unmount_and_check(disk);
}

TEST_P(Alloc, FreedBlocksWaitForTheCommit) {
  const auto got = alloc(middle_of(1), 8);
  ASSERT_TRUE(got);
  ASSERT_TRUE(free(got->first, 8));
  const auto meanwhile = alloc(got->first, 8);
  ASSERT_TRUE(meanwhile);
  EXPECT_TRUE(meanwhile->first >= got->first + 8 || meanwhile->first + 8 <= got->first);
  ASSERT_TRUE(force_commit(m.sb()));
  const auto again = alloc(got->first, 8);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->first, got->first);
}

TEST_P(Alloc, AFullDiskGetsItsBlocksBackByACommit) {
  std::vector<allocated> all;
  while (auto got = alloc(middle_of(0), 64, alloc_use_reserved)) all.push_back(*got);
  ASSERT_TRUE(free(all.back().first, all.back().count));
  EXPECT_EQ(alloc(all.back().first, 1, alloc_use_reserved).error(), ENOSPC);
  EXPECT_TRUE(should_retry_alloc(m.sb(), 0));
  EXPECT_TRUE(alloc(all.back().first, 1, alloc_use_reserved));
  EXPECT_FALSE(should_retry_alloc(m.sb(), 1)) << "nothing is pending any more";
}

TEST_P(Alloc, FreeingTwiceIsCorruption) {
  const auto got = alloc(middle_of(1), 4);
  ASSERT_TRUE(got);
  ASSERT_TRUE(free(got->first, 4));
  const std::int64_t before = m.sb().s_freeblocks;
  EXPECT_EQ(free(got->first, 4).error(), EUCLEAN);
  EXPECT_EQ(m.sb().s_freeblocks, before);
  EXPECT_THAT(m.log(), HasSubstr("which are free already"));
}

TEST_P(Alloc, FreeingSystemBlocksIsCorruption) {
  EXPECT_EQ(free(block_bitmap_of(m.sb(), group_t{0}), 1).error(), EUCLEAN);
  EXPECT_EQ(free(pblk_t{m.sb().s_blocks_count - 1}, 5).error(), EUCLEAN);
  EXPECT_THAT(m.log(), HasSubstr("outside the file system or its own metadata"));
}

TEST_P(Alloc, FreesAcrossGroups) {
  const pblk_t border = first_block_of(m.sb(), group_t{6});  // neither has a super block or the journal
  const auto before = alloc(border - 4, 4);
  ASSERT_TRUE(before);
  ASSERT_EQ(before->first, border - 4);
  const auto after = alloc(border, 4);
  ASSERT_TRUE(after);
  ASSERT_EQ(after->first, border);
  EXPECT_TRUE(free(before->first, 8, 2));
  m.unmount_and_check(disk);
}

TEST_P(Alloc, WhatWasAllocatedAndLostIsFoundByE2fsckAlone) {
  ASSERT_TRUE(alloc(middle_of(1), 5));
  ASSERT_TRUE(m.unmount());
  store(m.device(), disk);
  std::string output;
  EXPECT_FALSE(e2fsck_clean(disk.path(), &output));
  EXPECT_THAT(output, HasSubstr("Block bitmap differences"));
  EXPECT_THAT(output, testing::Not(HasSubstr("checksum")));
}

// ---- reserved blocks

TEST_P(Alloc, ReservedBlocksAreNobodyElses) {
  write_to(1);
  {
    exclusive_guard guard{m.root().i_rwsem};
    const std::int64_t free_before = m.sb().s_freeblocks;
    handle h = *journal_start(m.sb(), 8);
    auto kept = reserve_blocks(h, m.root(), middle_of(1), 8);
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->first, middle_of(1));
    EXPECT_EQ(kept->count, 8u);
    EXPECT_EQ(m.sb().s_freeblocks, free_before - 8);
    EXPECT_EQ(m.root().i_blocks, blocks_of_root) << "they are not the file's yet";

    const auto other = alloc_blocks(h, m.root(), middle_of(1), 8);
    ASSERT_TRUE(other);
    EXPECT_TRUE(other->first >= kept->first + 8 || other->first + 8 <= kept->first);
    ASSERT_TRUE(free_blocks(h, m.root(), other->first, other->count, false));

    unreserve_blocks(m.sb(), *kept);
    EXPECT_EQ(m.sb().s_freeblocks, free_before);
    const auto again = alloc_blocks(h, m.root(), middle_of(1), 8);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->first, middle_of(1)) << "without a commit in between";
    ASSERT_TRUE(free_blocks(h, m.root(), again->first, again->count, false));
  }
  m.unmount_and_check(disk);
}

TEST_P(Alloc, ReservedBlocksAreTakenInPart) {
  write_to(1);
  {
    exclusive_guard guard{m.root().i_rwsem};
    handle h = *journal_start(m.sb(), 8);
    auto kept = reserve_blocks(h, m.root(), middle_of(1), 8);
    ASSERT_TRUE(kept);
    ASSERT_TRUE(take_reserved(h, m.root(), *kept, 5));
    EXPECT_EQ(kept->first, middle_of(1) + 5);
    EXPECT_EQ(kept->count, 3u);
    EXPECT_EQ(m.root().i_blocks, blocks_of_root + 10);
    unreserve_blocks(m.sb(), *kept);
    const auto next = alloc_blocks(h, m.root(), middle_of(1), 3);
    ASSERT_TRUE(next);
    EXPECT_EQ(next->first, middle_of(1) + 5);
    ASSERT_TRUE(free_blocks(h, m.root(), middle_of(1), 8, false));
  }
  m.unmount_and_check(disk);
}

TEST_P(Alloc, ReservesNothingWhereThereIsNoBitmapOrNoRoom) {
  write_to(1);
  exclusive_guard guard{m.root().i_rwsem};
  handle h = *journal_start(m.sb(), 8);
  std::optional<group_t> untouched;
  for (std::uint32_t g = 1; g < m.sb().s_groups_count; ++g)
    if ((flags_of(m.sb(), group_desc(m.sb(), group_t{g})) & bg_block_uninit) != 0) untouched = group_t{g};
  ASSERT_TRUE(untouched) << "an image with a group that was never written";
  auto kept = reserve_blocks(h, m.root(), middle_of(untouched->value()), 8);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->count, 0u);
  ASSERT_TRUE(alloc_blocks(h, m.root(), middle_of(1), 1));
  kept = reserve_blocks(h, m.root(), middle_of(1), 900);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->count, 0u) << "there is no such run";
}

// A bitmap that has gone bad since it was looked at.
TEST_P(Alloc, ReservesNothingOfTheFileSystemsOwn) {
  write_to(0);
  exclusive_guard guard{m.root().i_rwsem};
  handle h = *journal_start(m.sb(), 8);
  const pblk_t own = inode_table_of(m.sb(), group_t{0});
  const auto bitmap = load_block_bitmap(m.sb(), group_t{0});
  ASSERT_TRUE(bitmap);
  fill_bits(*get_write_access(h, **bitmap), static_cast<std::uint32_t>(own - first_block_of(m.sb(), group_t{0})), 1, false);
  const std::int64_t free = m.sb().s_freeblocks;
  EXPECT_EQ(reserve_blocks(h, m.root(), own, 1).error(), EUCLEAN);
  EXPECT_EQ(m.sb().s_freeblocks, free) << "what was refused is not kept";
  const auto next = reserve_blocks(h, m.root(), own, 1);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->count, 0u) << "its group is not asked again";
}

// A window's blocks are withheld before they are reserved; one that is given back is as free as before.
TEST_P(Alloc, WindowsAndReservedBlocksShareNothing) {
  write_to(1);
  exclusive_guard guard{m.root().i_rwsem};
  pblk_t goal = middle_of(1);
  std::set<std::uint64_t> seen;
  const auto is_new = [&](pblk_t b) { return seen.insert(b.value()).second; };
  for (int i = 0; i < 40; ++i) {
    handle h = *journal_start(m.sb(), 8);
    auto kept = reserve_blocks(h, m.root(), goal, 2);
    ASSERT_TRUE(kept);
    ASSERT_EQ(kept->count, 2u);
    goal = kept->first;
    const auto other = alloc_blocks(h, m.root(), goal, 1, alloc_metadata);
    ASSERT_TRUE(other);
    EXPECT_TRUE(is_new(other->first));
    EXPECT_FALSE(seen.contains((goal + 1).value()));
    EXPECT_TRUE(is_new(goal));
    ASSERT_TRUE(take_reserved(h, m.root(), *kept, 1));
    unreserve_blocks(m.sb(), *kept);
    goal += 1u;
  }
}

INSTANTIATE_TEST_SUITE_P(on, Alloc, testing::Values("^has_journal", "has_journal"),
                         [](const auto& each) { return std::string{*each.param == '^' ? "no_journal" : "journal"}; });

// Two files that grow in turn, with one block each time.
TEST(AllocWindow, KeepsFilesApartThatGrowInTurn) {
  const image disk = make_image("-b 4096 -O ^has_journal", "16M");
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  vfs::task& t = m.task();
  const std::string piece = pattern(4096);
  const int a = t.open("/a", O_RDWR | O_CREAT, 0644).value(), b = t.open("/b", O_RDWR | O_CREAT, 0644).value();
  for (int i = 0; i < 512; ++i)
    for (const int fd : {a, b}) ASSERT_EQ(t.pwrite(fd, piece.data(), piece.size(), i * 4096).value_or(0), piece.size());
  for (const int fd : {a, b}) {
    std::vector<vfs::fiemap_extent> all;
    ASSERT_TRUE(t.fiemap(fd, 0, UINT64_MAX, all));
    EXPECT_LE(all.size(), 10u) << "as often as the file has doubled";
    ASSERT_TRUE(t.close(fd));
  }
  m.umount_and_check(disk);
}

// What is kept for one file is free all the same: another gets it before it is told that the disk is full.
TEST(AllocWindow, GivesWayWhenNothingElseIsLeft) {
  const image disk = make_image("-b 1024 -O ^has_journal", "2M");
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  vfs::task& t = m.task();
  const std::string piece = pattern(1024);
  const int a = t.open("/a", O_RDWR | O_CREAT, 0644).value(), b = t.open("/b", O_RDWR | O_CREAT, 0644).value();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(t.pwrite(a, piece.data(), piece.size(), i * 1024).value_or(0), piece.size());
  loff_t at = 0;
  while (t.pwrite(b, piece.data(), piece.size(), at).value_or(0) == piece.size()) at += 1024;
  const auto full = t.statfs("/");
  EXPECT_LE(full->bfree, 2048u / 50) << "full, but for the blocks that conversions may need";
  EXPECT_EQ(t.pwrite(a, piece.data(), piece.size(), 100 * 1024).error(), ENOSPC);
  for (const int fd : {a, b}) ASSERT_TRUE(t.close(fd));
  m.umount_and_check(disk);
}

TEST(AllocWindow, GoesWithTheLastWriter) {
  const image disk = make_image("-b 1024 -O ^has_journal", "2M");
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  vfs::task& t = m.task();
  const std::string piece = pattern(1024);
  const auto grow = [&](const char* name) {
    const int fd = t.open(name, O_RDWR | O_CREAT | O_APPEND, 0644).value();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(t.write(fd, piece.data(), piece.size()).value_or(0), piece.size());
    std::vector<vfs::fiemap_extent> all;
    EXPECT_TRUE(t.fiemap(fd, 0, UINT64_MAX, all));
    EXPECT_TRUE(t.close(fd));
    return all;
  };
  const auto a = grow("/a"), b = grow("/b");
  ASSERT_FALSE(a.empty() || b.empty());
  EXPECT_EQ(b.front().physical, a.back().physical + a.back().length) << "nothing is kept behind a file that is closed";
  m.umount_and_check(disk);
}

TEST(AllocReserve, IsForRootAndWhomTheSuperBlockNames) {
  const image disk = make_image("-b 1024 -m 50 -E root_owner=0:0", "4M");
  bare_mount m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  m.sb().s_resuid = 42;
  m.sb().s_resgid = 43;
  const auto can = [&] { return allowance(m.sb()) == static_cast<std::uint64_t>(m.sb().s_freeblocks) - m.sb().s_resv_blocks; };
  EXPECT_TRUE(can());
  m.who() = {.uid = 1000, .gid = 1000, .groups = {}};
  EXPECT_FALSE(can());
  m.who().groups = {7, 43};
  EXPECT_TRUE(can());
  m.who() = {.uid = 42, .gid = 1, .groups = {}};
  EXPECT_TRUE(can());
  m.who().uid = 1;
  handle h = *journal_start(m.sb(), 64);
  std::uint64_t taken = 0;
  while (auto got = alloc_blocks(h, m.root(), pblk_t{2000}, 100)) taken += got->count;
  EXPECT_EQ(static_cast<std::uint64_t>(m.sb().s_freeblocks), m.sb().s_r_blocks_count + m.sb().s_resv_blocks);
  EXPECT_GT(taken, 0u);
}

}  // namespace
}  // namespace xip::ext4lite::test
