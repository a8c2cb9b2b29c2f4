// Bitmaps, descriptors, the file system's own blocks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fs_ext4lite/bitmap.h"
#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/group.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite::test {
namespace {

using testing::HasSubstr;

TEST(Bitmap, FindsWhatATestOfEachBitFinds) {
  std::vector<std::byte> bits(64);
  std::uint32_t seed = 1;
  for (auto& b : bits) {
    seed = seed * 1664525 + 1013904223;
    b = std::byte{static_cast<std::uint8_t>((seed >> 24) & (seed >> 16))};
  }
  const bitmap_view view{bits, 500};
  const auto slow = [&](std::uint32_t from, bool value) {
    while (from < 500 && ((std::to_integer<int>(bits[from / 8]) >> (from % 8)) & 1) != value) ++from;
    return std::min(from, 500u);
  };
  for (std::uint32_t from = 0; from <= 500; ++from) {
    EXPECT_EQ(view.next_set(from), slow(from, true)) << from;
    EXPECT_EQ(view.next_clear(from), slow(from, false)) << from;
  }
}

TEST(Bitmap, FillsExactlyTheRange) {
  for (std::uint32_t first = 0; first < 20; ++first) {
    for (std::uint32_t count = 0; count < 40; ++count) {
      std::vector<std::byte> bits(8);
      fill_bits(bits, first, count, true);
      const bitmap_view view{bits, 64};
      for (std::uint32_t n = 0; n < 64; ++n) EXPECT_EQ(view.test(n), n >= first && n < first + count) << first << '+' << count << ' ' << n;
      fill_bits(bits, first, count, false);
      EXPECT_EQ(view.count_clear(), 64u);
    }
  }
}

TEST(Bitmap, TheFirstRunThatIsLongEnoughOrTheLongest) {
  std::vector<std::byte> bits(16, std::byte{0xFF});
  fill_bits(bits, 3, 2, false);
  fill_bits(bits, 70, 5, false);
  fill_bits(bits, 100, 9, false);
  const bitmap_view view{bits, 128};
  EXPECT_EQ(find_clear_run(view, 0, 4).first, 70u);
  EXPECT_EQ(find_clear_run(view, 0, 9).first, 100u);
  EXPECT_EQ(find_clear_run(view, 0, 20).count, 9u);
  EXPECT_EQ(find_clear_run(view, 4, 1).first, 4u);
  EXPECT_EQ(find_clear_run(view, 110, 1).count, 0u);
}

TEST(Bitmap, PendingBitsCountAsSet) {
  const std::vector<std::byte> bits(16);
  const std::uint64_t pending[2] = {~std::uint64_t{0}, 1};
  EXPECT_EQ((bitmap_view{bits, 128, pending}.next_clear(0)), 65u);
}

TEST(Group, SystemBlocksAreNoData) {
  const image i = make_image("-b 1024 -g 1024 -O ^flex_bg,^has_journal", "8M");
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  ext4_sb_info& sb = m.sb();
  for (std::uint32_t n = 0; n < sb.s_groups_count; ++n) {
    const group_t g{n};
    EXPECT_FALSE(data_blocks_valid(sb, block_bitmap_of(sb, g), 1));
    EXPECT_FALSE(data_blocks_valid(sb, inode_bitmap_of(sb, g), 1));
    EXPECT_FALSE(data_blocks_valid(sb, inode_table_of(sb, g) + (sb.s_itb_per_group - 1), 1));
    EXPECT_FALSE(data_blocks_valid(sb, inode_table_of(sb, g) + (sb.s_itb_per_group - 1), 2));
    EXPECT_TRUE(data_blocks_valid(sb, inode_table_of(sb, g) + sb.s_itb_per_group, 1)) << n;
    EXPECT_EQ(group_of(sb, first_block_of(sb, g)), g);
  }
  EXPECT_FALSE(data_blocks_valid(sb, pblk_t{0}, 1));
  EXPECT_FALSE(data_blocks_valid(sb, pblk_t{sb.s_blocks_count - 1}, 2));
  EXPECT_FALSE(data_blocks_valid(sb, pblk_t{sb.s_blocks_count}, 1));
  EXPECT_FALSE(data_blocks_valid(sb, pblk_t{~std::uint64_t{0}}, 1));
}

TEST(Group, BlocksOfTheJournalAreTheJournalsOnly) {
  const image i = make_image("-b 1024", "8M");
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  const ext4_sb_info& sb = m.sb();
  std::uint64_t blocks = 0;
  for (const system_zone& zone : sb.s_system_zones) {
    if (zone.owner == ino_t{}) continue;
    EXPECT_EQ(zone.owner, ino_t{journal_ino});
    blocks += zone.count;
    const auto count = static_cast<std::uint32_t>(zone.count);
    EXPECT_FALSE(data_blocks_valid(sb, zone.first, 1));
    EXPECT_FALSE(data_blocks_valid(sb, zone.first + (count - 1), 1, ino_t{12}));
    EXPECT_TRUE(data_blocks_valid(sb, zone.first, count, zone.owner));
  }
  EXPECT_EQ(blocks, 1024u);
}

// The bitmap that is made up for a group without one is the one mke2fs would have written.
TEST(Group, InitialisedBitmapsAreWhatMke2fsWrites) {
  for (const char* options : {"-b 1024 -g 1024 -O ^flex_bg", "-b 1024 -g 512 -G 4", "-b 1024 -O meta_bg,^resize_inode -g 512"}) {
    const image i = make_image(std::string{options} + " -E lazy_itable_init=0 -O ^uninit_bg,^metadata_csum,^has_journal", "7M");
    bare_mount m{i};
    ASSERT_TRUE(m.ok()) << m.failure();
    ext4_sb_info& sb = m.sb();
    for (std::uint32_t n = 1; n < sb.s_groups_count; ++n) {
      const group_t g{n};
      const auto real = load_block_bitmap(sb, g);
      ASSERT_TRUE(real);
      std::vector<std::byte> made(sb.s_blocksize);
      init_block_bitmap(sb, g, made);
      EXPECT_EQ(std::memcmp(made.data(), (*real)->data().data(), blocks_in_group(sb, g) / 8), 0) << options << " group " << n;
    }
  }
}

TEST(Group, AWrongDescriptorChecksumRefusesTheMount) {
  for (const char* options : {"-b 4096", "-b 4096 -O ^metadata_csum,uninit_bg"}) {
    const image i = make_image(options);
    const std::uint64_t desc = 4096;
    i.poke_value(desc + offsetof(ext4_group_desc, bg_used_dirs_count_lo), le16{99});
    bare_mount m{i};
    EXPECT_FALSE(m.ok());
    EXPECT_THAT(m.failure(), HasSubstr("group 0: descriptor has checksum"));
  }
}

TEST(Group, PlacesOutsideTheFileSystemRefuseTheMount) {
  const image i = make_image("-b 4096 -O ^metadata_csum,^uninit_bg");
  const std::uint64_t desc = 4096;
  i.poke_value(desc + offsetof(ext4_group_desc, bg_inode_table_lo), le32{2040});
  bare_mount m{i};
  EXPECT_FALSE(m.ok());
  EXPECT_THAT(m.failure(), HasSubstr("inode table at block 2040 lies outside"));
}

TEST(Group, OverlappingMetadataRefusesTheMount) {
  const image i = make_image("-b 4096 -O ^metadata_csum,^uninit_bg");
  const std::uint64_t desc = 4096;
  i.poke_value(desc + offsetof(ext4_group_desc, bg_block_bitmap_lo),
               i.peek_value<le32>(desc + offsetof(ext4_group_desc, bg_inode_bitmap_lo)));
  bare_mount m{i};
  EXPECT_FALSE(m.ok());
  EXPECT_THAT(m.failure(), HasSubstr("overlap"));
}

TEST(Group, ABadBitmapTakesOutItsGroupAlone) {
  const image i = make_image("-b 1024 -g 1024", "4M");
  std::uint64_t bitmap = 0;
  {
    bare_mount m{i};
    ASSERT_TRUE(m.ok()) << m.failure();
    bitmap = bytes_of(block_bitmap_of(m.sb(), group_t{0}), m.sb().s_blocksize_bits);
  }
  i.poke_value(bitmap, std::byte{0});
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  ext4_sb_info& sb = m.sb();
  EXPECT_EQ(load_block_bitmap(sb, group_t{0}).error(), EUCLEAN);
  EXPECT_TRUE(sb.s_groups[0]->corrupt);
  EXPECT_THAT(m.log(), HasSubstr("group 0: block bitmap in block"));
  handle h = *journal_start(sb, 8);
  const auto got = alloc_blocks(h, m.root(), first_block_of(sb, group_t{0}), 4);
  ASSERT_TRUE(got);
  EXPECT_NE(group_of(sb, got->first), group_t{0});
}

}  // namespace
}  // namespace xip::ext4lite::test
