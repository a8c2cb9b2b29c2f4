// Extent trees on small blocks, so that they become deep with few extents: against a model, and judged by e2fsck.

#include "fs_ext4lite/bitmap.h"
#include "fs_ext4lite/group.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/tree_file.h"

namespace xip::ext4lite {
namespace {

using namespace test;

constexpr std::string_view small_blocks = "-b 1024";

TEST(extent_tree, an_empty_file_is_one_hole) {
  const image disk = image_with_file(small_blocks, "4M");
  tree_file file{disk};
  const auto em = file.look(0);
  ASSERT_TRUE(em.has_value());
  EXPECT_EQ(em->type, extent_type::hole);
  EXPECT_EQ(em->len, UINT32_MAX - 1);
}

TEST(extent_tree, sequential_allocation_is_one_extent) {
  const image disk = image_with_file(small_blocks, "8M");
  tree_file file{disk};
  for (std::uint32_t i = 0; i < 512; i += 8) {
    const auto em = file.change(i, 8, map_create_written);
    ASSERT_TRUE(em.has_value());
    ASSERT_EQ(em->len, 8u);
    EXPECT_NE(em->flags & em_new, 0);
  }
  EXPECT_EQ(file.extents().size(), 1u);
  file.unmount_and_check(disk);
}

// Every second block from the right: each insertion is the first of its leaf, so that keys change all the way up, and nodes split in
// halves.
TEST(extent_tree, grows_to_three_levels_and_back) {
  const image disk = image_with_file("-b 1024 -N 64", "32M");
  tree_file file{disk};
  constexpr std::uint32_t count = 9600;
  tree_model model{2 * count + 1};
  for (std::uint32_t i = count; i-- != 0;) {
    const auto em = file.change(2 * i, 1, map_create_written);
    ASSERT_TRUE(em.has_value()) << em.error().name();
    model.apply(*em);
  }
  EXPECT_EQ(file.depth(), 3u);
  model.compare(file);
  ASSERT_TRUE(file.remove(4, 2 * count).has_value());
  EXPECT_EQ(file.depth(), 0u);
  EXPECT_EQ(file.root_entries(), 2u);
  file.commit();
  ASSERT_TRUE(file.remove(0, 3).has_value());
  EXPECT_EQ(file.root_entries(), 0u);
  EXPECT_EQ(file.inode().i_blocks.load(), 0u);
  file.unmount_and_check(disk);
}

TEST(extent_tree, appending_leaves_full_leaves) {
  const image disk = image_with_file(small_blocks, "8M");
  tree_file file{disk};
  for (std::uint32_t i = 0; i < 400; ++i) ASSERT_TRUE(file.change(2 * i, 1, map_create_written).has_value());
  EXPECT_EQ(file.depth(), 2u);  // four leaves of 83 are 332: five need a level more
  // 400 data blocks, 5 leaves, 1 index block
  EXPECT_EQ(file.inode().i_blocks.load() / 2, 400u + 5 + 1);
  file.unmount_and_check(disk);
}

TEST(extent_tree, converts_exactly_what_was_written) {
  const image disk = image_with_file(small_blocks, "8M");
  tree_file file{disk};
  ASSERT_EQ(file.change(0, 100, map_create_unwritten)->len, 100u);
  ASSERT_EQ(file.change(40, 5, map_convert)->len, 5u);
  const auto all = file.extents();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].type, extent_type::unwritten);
  EXPECT_EQ(all[0].len, 40u);
  EXPECT_EQ(all[1].type, extent_type::mapped);
  EXPECT_EQ(all[1].len, 5u);
  EXPECT_EQ(all[2].type, extent_type::unwritten);
  EXPECT_EQ(all[2].len, 55u);
  file.unmount_and_check(disk);
}

TEST(extent_tree, converting_beside_what_is_written_moves_the_border) {
  const image disk = image_with_file(small_blocks, "8M");
  tree_file file{disk};
  ASSERT_EQ(file.change(0, 100, map_create_unwritten)->len, 100u);
  for (std::uint32_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(file.change(i, 1, map_convert).has_value());
    ASSERT_EQ(file.extents().size(), 2u);
  }
  ASSERT_TRUE(file.change(99, 1, map_convert).has_value());
  for (std::uint32_t i = 98; i >= 50; --i) {
    ASSERT_TRUE(file.change(i, 1, map_convert).has_value());
    ASSERT_EQ(file.extents().size(), i == 50 ? 1u : 3u);
  }
  file.unmount_and_check(disk);
}

TEST(extent_tree, an_unwritten_extent_is_at_most_32767_long_and_a_written_one_32768) {
  const image disk = image_with_file("-b 4096 -N 64 -m 0 -O ^has_journal", "160M");
  tree_file file{disk};
  constexpr std::uint32_t blocks = 36'000;
  for (std::uint32_t at = 0; at < blocks;) {
    const auto em = file.change(at, blocks - at, map_create_unwritten);
    ASSERT_TRUE(em.has_value());
    at += em->len;
  }
  for (const extent_map& em : file.extents()) EXPECT_LE(em.len, 32767u);
  for (std::uint32_t at = 0; at < blocks;) at += file.change(at, blocks - at, map_convert)->len;
  for (const extent_map& em : file.extents()) {
    EXPECT_LE(em.len, 32768u);
    EXPECT_EQ(em.type, extent_type::mapped);
  }
}

// Random allocation, conversion and removal. Each seed is a file of its own.
class random_changes : public testing::TestWithParam<std::tuple<std::string_view, unsigned>> {};

TEST_P(random_changes, leave_the_tree_that_the_model_says) {
  const auto& [options, seed] = GetParam();
  const image disk = image_with_file(options, "8M");
  tree_file file{disk};
  std::mt19937 random{seed};
  tree_model model{3000};
  for (int step = 0; step < 2500; ++step) {
    const std::uint32_t lblk = random() % model.size();
    const std::uint32_t most = std::min(static_cast<std::uint32_t>(1 + random() % 6), model.size() - lblk);
    const unsigned what = random() % 10;
    if (what < 8) {
      const std::uint32_t flags = what < 3 ? map_create_unwritten : what < 5 ? map_create_written : map_convert;
      const auto em = file.change(lblk, most, flags);
      ASSERT_TRUE(em.has_value()) << em.error().name() << " step " << step << '\n' << file.fs().log();
      ASSERT_GE(em->len, 1u);
      ASSERT_LE(em->len, most);
      if (em->type != extent_type::hole) model.apply(*em);
    } else {
      const std::uint32_t last = std::min(static_cast<std::uint32_t>(lblk + random() % (what == 8 ? 10 : 200)), model.size() - 1);
      const auto removed = file.remove(lblk, last);
      ASSERT_TRUE(removed.has_value()) << removed.error().name() << " step " << step;
      model.remove(lblk, last);
      if (random() % 4 == 0) file.commit();
    }
    if (step % 500 == 499) model.compare(file);
    if (HasFatalFailure()) FAIL() << "step " << step;
  }
  file.unmount_and_check(disk);
}

INSTANTIATE_TEST_SUITE_P(extent_tree, random_changes,
                         testing::Combine(testing::Values("-b 1024", "-b 1024 -O ^metadata_csum", "-b 2048"), testing::Range(1u, 4u)));

// ---- what a bad image holds

struct damage {
  const char* name;
  std::size_t offset;  // within the first leaf
  std::uint32_t value;
  std::size_t bytes;
  const char* said;
};
void PrintTo(const damage& d, std::ostream* out) { *out << d.name; }

class damaged_leaf : public testing::TestWithParam<damage> {};

// The leaf that holds block 0 of the file on DISK.
std::uint64_t first_leaf(tree_file& file) {
  shared_guard guard{file.inode().i_data_sem};
  return find_path(file.inode(), lblk_t{0})->leaf().buffer->block().value();
}

TEST_P(damaged_leaf, is_found_and_named) {
  const damage& d = GetParam();
  const image disk = image_with_file("-b 1024 -O ^metadata_csum", "4M");
  std::uint64_t leaf = 0;
  {
    tree_file file{disk};
    for (std::uint32_t i = 0; i < 20; ++i) ASSERT_TRUE(file.change(2 * i, 1, map_create_written).has_value());
    leaf = first_leaf(file);
    file.unmount_and_check(disk);
  }
  disk.poke(leaf * 1024 + d.offset, std::as_bytes(std::span{&d.value, 1}).first(d.bytes));
  tree_file file{disk};
  const auto em = file.look(2);
  ASSERT_FALSE(em.has_value());
  EXPECT_EQ(em.error(), EUCLEAN);
  EXPECT_NE(file.fs().log().find(d.said), std::string::npos) << file.fs().log();
  EXPECT_NE(file.fs().log().find(std::to_string(leaf)), std::string::npos) << file.fs().log();
}

INSTANTIATE_TEST_SUITE_P(extent_tree, damaged_leaf,
                         testing::Values(damage{"magic", 0, 0x1234, 2, "magic"}, damage{"no_entries", 2, 0, 2, "entries"},
                                         damage{"too_many_entries", 2, 90, 2, "entries"}, damage{"no_room", 4, 0, 2, "room"},
                                         damage{"too_much_room", 4, 85, 2, "room"}, damage{"too_little_room", 4, 81, 2, "room"},
                                         damage{"depth", 6, 1, 2, "depth"}, damage{"first_key", 12, 1, 4, "begins at"},
                                         damage{"no_length", 12 + 4, 0, 2, "has 0 blocks"}, damage{"overlap", 12 + 4, 3, 2, "has 3 blocks"},
                                         damage{"order", 24, 9, 4, "has 1 blocks"}, damage{"outside", 12 + 8, 0x7fffffff, 4, "no file's"},
                                         damage{"far_outside", 12 + 6, 0xffff, 2, "no file's"},
                                         damage{"super_block", 12 + 8, 1, 4, "no file's"}),
                         [](const auto& each) { return std::string{each.param.name}; });

TEST(extent_tree, a_wrong_checksum_is_found) {
  const image disk = image_with_file("-b 1024", "4M");
  std::uint64_t leaf = 0;
  {
    tree_file file{disk};
    for (std::uint32_t i = 0; i < 20; ++i) ASSERT_TRUE(file.change(2 * i, 1, map_create_written).has_value());
    leaf = first_leaf(file);
    file.unmount_and_check(disk);
  }
  disk.poke_value(leaf * 1024 + 8, std::uint32_t{77});  // the generation: of no other consequence
  tree_file file{disk};
  EXPECT_EQ(file.look(2).error(), EUCLEAN);
  EXPECT_NE(file.fs().log().find("checksum"), std::string::npos) << file.fs().log();
}

// The child of the root is the root's grandchild: depth must go down.
TEST(extent_tree, a_loop_ends) {
  const image disk = image_with_file("-b 1024 -O ^metadata_csum", "4M");
  std::uint64_t index = 0;
  {
    tree_file file{disk};
    for (std::uint32_t i = 0; i < 400; ++i) ASSERT_TRUE(file.change(2 * i, 1, map_create_written).has_value());
    ASSERT_EQ(file.depth(), 2u);
    {
      shared_guard guard{file.inode().i_data_sem};
      index = find_path(file.inode(), lblk_t{0})->level[1].buffer->block().value();
    }
    file.unmount_and_check(disk);
  }
  disk.poke_value(index * 1024 + 12 + 4, static_cast<std::uint32_t>(index));  // its first child is itself
  tree_file file{disk};
  EXPECT_EQ(file.look(0).error(), EUCLEAN);
}

TEST(extent_tree, a_bad_root_keeps_the_file_from_being_opened) {
  const image disk = image_with_file("-b 1024", "4M");
  // Magic and entries; room and depth.
  for (const auto& [first, second] :
       {std::pair{"0x1234", "0x4"}, {"0xF30A", "0x90004"}, {"0xF30A", "0"}, {"0x5F30A", "0x4"}, {"0xF30A", "0x10004"}}) {
    const std::string field = std::string{first} + ", " + second;
    debugfs(disk.path(), std::string{"set_inode_field file block[0] "} + first, true);
    debugfs(disk.path(), std::string{"set_inode_field file block[1] "} + second, true);
    bare_mount fs{disk};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    EXPECT_EQ(ext4_iget(fs.sb(), ino_t{first_file}).error(), EUCLEAN) << field;
    EXPECT_NE(fs.log().find("extent root"), std::string::npos) << fs.log();
  }
}

// A node that the bitmap says is free must not be handed out as another one of the tree.
TEST(extent_tree, a_node_in_use_is_not_allocated_again) {
  const image disk = image_with_file("-b 1024 -O ^metadata_csum", "4M");
  tree_file file{disk};
  std::uint32_t made = 0;
  for (; file.depth() == 0; ++made) ASSERT_TRUE(file.change(2 * made, 1, map_create_written).has_value());
  const pblk_t leaf{first_leaf(file)};
  {
    // What a corrupt bitmap says.
    handle h = file.start(4);
    const dev::buffer_ref bitmap = *load_block_bitmap(file.fs().sb(), group_of(file.fs().sb(), leaf));
    const auto bits = *get_write_access(h, *bitmap);
    fill_bits(bits, static_cast<std::uint32_t>(leaf - first_block_of(file.fs().sb(), group_of(file.fs().sb(), leaf))), 1, false);
  }
  {
    handle h = file.start(4);
    const auto got = alloc_blocks(h, file.inode(), leaf, 1, alloc_metadata);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error(), EUCLEAN);
  }
  EXPECT_NE(file.fs().log().find("but holds metadata in use"), std::string::npos) << file.fs().log();
  EXPECT_TRUE(file.look(0).has_value());
}

// A leaf block that the bitmap says is free cannot be freed again: nothing goes on from there.
TEST(extent_tree, freeing_what_is_free_is_corruption) {
  const image disk = image_with_file("-b 1024 -O ^metadata_csum", "4M");
  tree_file file{disk};
  const auto em = file.change(0, 4, map_create_written);
  ASSERT_TRUE(em.has_value());
  {
    handle h = file.start(4);
    ASSERT_TRUE(free_blocks(h, file.inode(), em->pblk, 4, false).has_value());
  }
  EXPECT_EQ(file.remove(0, 100).error(), EUCLEAN);
}

}  // namespace
}  // namespace xip::ext4lite
