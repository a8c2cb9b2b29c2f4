// The switches of planted bugs: off unless the thread's own sink has the bit, and not there at all in a release build.
#include <gtest/gtest.h>

#include <xip/base/points.h>

namespace xip {
namespace {

struct silent_sink final : point_sink {
  void on_point(point, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {}
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
};

TEST(exhibits, are_off_without_a_sink) { EXPECT_FALSE(XIP_EXHIBIT(read_without_lock)); }

#if XIP_EXHIBITS
TEST(exhibits, are_on_where_the_sink_says_so_and_nowhere_else) {
  silent_sink sink;
  current_point_sink = &sink;
  EXPECT_FALSE(XIP_EXHIBIT(wakeup_lost));
  sink.exhibits = exhibit_place::wakeup_lost;
  EXPECT_TRUE(XIP_EXHIBIT(wakeup_lost));
  EXPECT_FALSE(XIP_EXHIBIT(read_without_lock));
  current_point_sink = nullptr;
  EXPECT_FALSE(XIP_EXHIBIT(wakeup_lost));
}

TEST(exhibits, are_sets_of_any_places) {
  constexpr auto first = exhibit_place{}, last = static_cast<exhibit_place>(static_cast<unsigned>(exhibit_place::count) - 1);
  exhibit_set some = first;
  some |= last;
  EXPECT_TRUE(some.has(first) && some.has(last) && !some.has(exhibit_place::wakeup_lost));
  EXPECT_EQ(some, exhibit_set{last} | first);
  EXPECT_FALSE(some.empty());
  EXPECT_TRUE(exhibit_set{}.empty());
}

TEST(exhibits, have_names) { EXPECT_EQ(exhibit_place_name(exhibit_place::read_size_once), "read_size_once"); }
#else
TEST(exhibits, are_constants_of_a_release) {
  silent_sink sink;
  current_point_sink = &sink;
  static_assert(!XIP_EXHIBIT(wakeup_lost));
  current_point_sink = nullptr;
}
#endif

}  // namespace
}  // namespace xip
