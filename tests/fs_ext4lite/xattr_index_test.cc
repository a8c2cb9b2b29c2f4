// What is remembered of attribute blocks: it may be too little, never a block that is gone.
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "fs_ext4lite/xattr_index.h"

namespace xip::ext4lite::test {
namespace {

[[nodiscard]] std::vector<std::uint64_t> blocks_of(const xattr_index& index, std::uint32_t hash) {
  std::vector<std::uint64_t> blocks;
  for (const xattr_index::entry& e : index.candidates(hash))
    if (e.hash == hash) blocks.push_back(e.block.value());
  return blocks;
}

struct xattr_blocks : testing::Test {
  xattr_index index{*std::pmr::new_delete_resource()};
};

TEST_F(xattr_blocks, are_found_by_their_hash) {
  EXPECT_EQ(blocks_of(index, 7), std::vector<std::uint64_t>{});
  index.insert(7, pblk_t{100});
  index.insert(7, pblk_t{101});
  index.insert(8, pblk_t{102});
  EXPECT_EQ(blocks_of(index, 7), (std::vector<std::uint64_t>{101, 100}));
  EXPECT_EQ(blocks_of(index, 8), (std::vector<std::uint64_t>{102}));
}

TEST_F(xattr_blocks, that_are_freed_are_forgotten) {
  index.insert(7, pblk_t{100});
  index.insert(7, pblk_t{101});
  index.forget(pblk_t{100});
  EXPECT_EQ(blocks_of(index, 7), (std::vector<std::uint64_t>{101}));
  index.insert(9, pblk_t{100});
  EXPECT_EQ(blocks_of(index, 9), (std::vector<std::uint64_t>{100}));
  EXPECT_EQ(blocks_of(index, 7), (std::vector<std::uint64_t>{101})) << "not what it held before";
}

TEST_F(xattr_blocks, without_a_hash_are_nobody_elses) {
  index.insert(0, pblk_t{100});
  EXPECT_EQ(blocks_of(index, 0), std::vector<std::uint64_t>{});
}

TEST_F(xattr_blocks, make_way_for_newer_ones) {
  for (std::uint64_t b = 0; b <= xattr_index::ways; ++b) index.insert(7, pblk_t{100 + b});
  const std::vector<std::uint64_t> blocks = blocks_of(index, 7);
  EXPECT_EQ(blocks.size(), xattr_index::ways);
  EXPECT_EQ(std::ranges::count(blocks, 100u), 0) << "the oldest";
}

TEST(xattr_blocks_without_memory, are_not_remembered) {
  xattr_index index{*std::pmr::null_memory_resource()};
  index.insert(7, pblk_t{100});
  index.forget(pblk_t{100});
  EXPECT_EQ(blocks_of(index, 7), std::vector<std::uint64_t>{});
}

}  // namespace
}  // namespace xip::ext4lite::test
