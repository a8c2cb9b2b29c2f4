// The marks of what a mapped file still has to write out.
#include <gtest/gtest.h>

#include "dev/dirty_map.h"

namespace xip::dev {
namespace {

using runs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
constexpr std::uint64_t chunk = std::uint64_t{1} << dirty_map::shift;

runs take(dirty_map& map) {
  runs out;
  map.take([&](std::uint64_t offset, std::uint64_t bytes) { out.emplace_back(offset, bytes); });
  return out;
}

TEST(dirty_map, is_empty_at_first) {
  dirty_map map{10 * chunk};
  EXPECT_EQ(take(map), runs{});
}

TEST(dirty_map, reports_each_mark_once) {
  dirty_map map{10 * chunk};
  map.mark(3 * chunk + 5, 1);
  EXPECT_EQ(take(map), (runs{{3 * chunk, chunk}}));
  EXPECT_EQ(take(map), runs{});
}

TEST(dirty_map, joins_neighbours_across_words) {
  dirty_map map{200 * chunk};
  map.mark(60 * chunk, 10 * chunk);
  map.mark(0, 1);
  map.mark(chunk, 1);
  map.mark(199 * chunk, chunk);
  EXPECT_EQ(take(map), (runs{{0, 2 * chunk}, {60 * chunk, 10 * chunk}, {199 * chunk, chunk}}));
}

TEST(dirty_map, covers_every_byte_of_a_long_range) {
  dirty_map map{300 * chunk};
  map.mark(chunk - 1, 250 * chunk);
  EXPECT_EQ(take(map), (runs{{0, 251 * chunk}}));
}

TEST(dirty_map, ends_with_the_file) {
  dirty_map map{chunk + 100};
  map.mark(chunk + 50, 10);
  EXPECT_EQ(take(map), (runs{{chunk, 100}}));
}

TEST(dirty_map, keeps_what_is_marked_again_while_taking) {
  dirty_map map{4 * chunk};
  map.mark(0, 1);
  map.take([&](std::uint64_t offset, std::uint64_t bytes) { map.mark(offset, bytes); });
  EXPECT_EQ(take(map), (runs{{0, chunk}}));
}

TEST(dirty_map, ignores_empty_ranges) {
  dirty_map map{4 * chunk};
  map.mark(2 * chunk, 0);
  EXPECT_EQ(take(map), runs{});
}

}  // namespace
}  // namespace xip::dev
