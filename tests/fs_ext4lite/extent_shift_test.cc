// Extents that move within the tree, and written ones that become unwritten: on small blocks, against a model, and judged by e2fsck.
#include "fs_ext4lite/tree_file.h"

namespace xip::ext4lite {
namespace {

using namespace test;

// Every second block of COUNT.
void scatter(tree_file& file, tree_model& model, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; i += 2) {
    const auto em = file.change(i, 1, map_create_written);
    ASSERT_TRUE(em.has_value()) << em.error().name();
    model.apply(*em);
  }
}

TEST(extent_shift, moves_an_empty_tree_nowhere) {
  const image disk = image_with_file("-b 1024", "4M");
  tree_file file{disk};
  EXPECT_TRUE(file.move_left(5, 5).has_value());
  EXPECT_TRUE(file.move_right(5, 5).has_value());
  EXPECT_TRUE(file.extents().empty());
  file.unmount_and_check(disk);
}

TEST(extent_shift, what_begins_behind_a_hole_moves_once) {
  for (const std::uint32_t count : {2u, 400u}) {
    const image disk = image_with_file("-b 1024 -N 64", "8M");
    tree_file file{disk};
    tree_model model{count + 20};
    scatter(file, model, count);
    for (const std::uint32_t first : {0u, 1u, 4u}) {
      ASSERT_TRUE(file.move_right(first == 4 ? 2 : 0, 3).has_value());
      model.insert_hole(first == 4 ? 2 : 0, 3);
      model.compare(file);
    }
    ASSERT_TRUE(file.move_left(6, 5).has_value());
    model.erase(1, 5);
    model.compare(file);
    file.unmount_and_check(disk);
  }
}

TEST(extent_shift, leaves_go_one_by_one_in_a_tree_of_three_levels) {
  const image disk = image_with_file("-b 1024 -N 64", "16M");
  tree_file file{disk};
  constexpr std::uint32_t count = 1400;
  tree_model model{count};
  scatter(file, model, count);
  ASSERT_EQ(file.depth(), 2u);
  ASSERT_GT(file.move_right(0, 7).value_or(0), 7) << "a step a leaf";
  model.insert_hole(0, 7);
  model.compare(file);
  ASSERT_GT(file.move_left(7, 5).value_or(0), 7);
  model.erase(2, 5);
  model.compare(file);
  ASSERT_GE(file.move_right(700, 3).value_or(0), 3);
  model.insert_hole(700, 3);
  model.compare(file);
  file.unmount_and_check(disk);
}

TEST(extent_shift, what_comes_together_is_joined) {
  const image disk = image_with_file("-b 1024", "4M");
  tree_file file{disk};
  ASSERT_EQ(file.change(0, 10, map_create_written)->len, 10u);
  ASSERT_TRUE(file.cut(4).has_value());
  ASSERT_TRUE(file.move_right(4, 6).has_value());
  ASSERT_EQ(file.extents().size(), 2u);
  EXPECT_EQ(file.extents()[1].lblk.value(), 10u);
  ASSERT_TRUE(file.move_left(10, 6).has_value());
  EXPECT_EQ(file.extents().size(), 1u);
  EXPECT_EQ(file.look(0)->len, 10u);
  file.unmount_and_check(disk);
}

TEST(extent_shift, a_written_extent_of_the_greatest_length_becomes_two_unwritten_ones) {
  const image disk = image_with_file("-b 4096 -N 64 -m 0 -O ^has_journal", "160M");
  tree_file file{disk};
  constexpr std::uint32_t blocks = 36'000;
  for (std::uint32_t at = 0; at < blocks;) {
    const auto em = file.change(at, blocks - at, map_create_written);
    ASSERT_TRUE(em.has_value());
    at += em->len;
  }
  for (std::uint32_t at = 0; at < blocks;) {
    const auto em = file.change(at, blocks - at, map_make_unwritten);
    ASSERT_TRUE(em.has_value());
    ASSERT_EQ(em->type, extent_type::unwritten);
    at += em->len;
  }
  std::uint32_t all = 0;
  for (const extent_map& em : file.extents()) {
    EXPECT_EQ(em.type, extent_type::unwritten);
    EXPECT_LE(em.len, 32'767u);
    all += em.len;
  }
  EXPECT_EQ(all, blocks);
  file.unmount_and_check(disk);
}

class random_shifts : public testing::TestWithParam<unsigned> {};

TEST_P(random_shifts, leave_the_tree_that_the_model_says) {
  const image disk = image_with_file("-b 1024 -N 64", "16M");
  tree_file file{disk};
  std::mt19937 random{GetParam()};
  tree_model model{2500};
  scatter(file, model, 2000);
  for (int step = 0; step < 600; ++step) {
    const std::uint32_t lblk = random() % (model.size() - 200);
    const std::uint32_t count = 1 + random() % (random() % 8 == 0 ? 150 : 6);
    const unsigned what = random() % 8;
    if (what < 4) {
      constexpr std::uint32_t kinds[] = {map_create_written, map_create_unwritten, map_convert, map_make_unwritten};
      const auto em = file.change(lblk, std::min(count, 6u), kinds[what]);
      ASSERT_TRUE(em.has_value()) << em.error().name() << " step " << step << '\n' << file.fs().log();
      if (em->type != extent_type::hole) model.apply(*em);
    } else if (what < 6) {
      ASSERT_TRUE(file.remove(lblk, lblk + count - 1).has_value()) << "step " << step << '\n' << file.fs().log();
      ASSERT_TRUE(file.move_left(lblk + count, count).has_value()) << "step " << step << '\n' << file.fs().log();
      model.erase(lblk, count);
    } else {
      ASSERT_TRUE(model.at(lblk).type == extent_type::hole || file.cut(lblk).has_value());
      ASSERT_TRUE(file.move_right(lblk, count).has_value()) << "step " << step << '\n' << file.fs().log();
      model.insert_hole(lblk, count);
    }
    if (step % 50 == 49) model.compare(file);
    if (HasFatalFailure()) FAIL() << "step " << step;
    if (step % 100 == 0) file.commit();
  }
  file.unmount_and_check(disk);
}

INSTANTIATE_TEST_SUITE_P(extent_shift, random_shifts, testing::Range(1u, 5u));

}  // namespace
}  // namespace xip::ext4lite
