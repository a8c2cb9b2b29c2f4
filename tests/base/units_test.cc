#include <xip/base/units.h>

#include <type_traits>

#include <gtest/gtest.h>

namespace xip {
namespace {

template <class A, class B>
concept mix = requires(A a, B b) { a - b; } || requires(A a, B b) { a < b; } || std::is_convertible_v<A, B> || std::is_convertible_v<B, A>;

static_assert(!mix<lblk_t, pblk_t> && !mix<pblk_t, group_t> && !mix<ino_t, lblk_t> && !mix<pgoff_t, pblk_t>);
static_assert(!std::is_convertible_v<std::uint32_t, lblk_t> && !std::is_convertible_v<lblk_t, std::uint32_t>);

TEST(Units, AddingCountKeepsUnit) {
  lblk_t block{5};
  EXPECT_EQ(block + 3, lblk_t{8});
  EXPECT_EQ((block += 2) - lblk_t{4}, 3u);
  EXPECT_LT(lblk_t{1}, lblk_t{2});
}

TEST(Units, ByteAndBlockConvert) {
  EXPECT_EQ(lblk_of(8191, 12), lblk_t{1});
  EXPECT_EQ(pos_of(lblk_t{0xFFFFFFFF}, 12), loff_t{0xFFFFFFFF} << 12);
  EXPECT_EQ(bytes_of(pblk_t{3}, 10), 3072u);
  EXPECT_EQ(pgoff_of(4096), pgoff_t{1});
}

TEST(Units, BlocksForRoundsUp) {
  EXPECT_EQ(blocks_for(0, 12), 0u);
  EXPECT_EQ(blocks_for(1, 12), 1u);
  EXPECT_EQ(blocks_for(4096, 12), 1u);
  EXPECT_EQ(blocks_for(4097, 12), 2u);
  EXPECT_EQ(blocks_for(~std::uint64_t{0}, 12), std::uint64_t{1} << 52);
}

}  // namespace
}  // namespace xip
