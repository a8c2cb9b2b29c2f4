// The figures of `xip bench`, with a clock that only the work itself moves on.
#include <string>

#include <gtest/gtest.h>

#include "paired.h"

namespace xip::tool {
namespace {

class paired : public testing::Test {
 protected:
  paired() { now() = nanoseconds{0}; }

  static nanoseconds& now() {
    static thread_local nanoseconds time{};
    return time;
  }
  // One round of COUNT operations: each takes that many nanoseconds on its side.
  void round(std::size_t count, long figure, long baseline) {
    pair.round(0, count, [&](std::size_t) { work('f', figure); }, [&](std::size_t) { work('b', baseline); });
  }
  void work(char side, long takes) {
    order += side;
    now() += nanoseconds{takes};
  }

  paired_ratio pair{[] { return now(); }};
  std::string order;
};

TEST_F(paired, sides_take_turns_in_going_first) {
  for (int i = 0; i < 3; ++i) round(2, 1, 1);
  EXPECT_EQ(order,
            "ffbb"
            "bbff"
            "ffbb");
}

TEST_F(paired, both_sides_get_the_same_numbers) {
  std::vector<std::size_t> figure, baseline;
  pair.round(3, 6, [&](std::size_t i) { figure.push_back(i); }, [&](std::size_t i) { baseline.push_back(i); });
  EXPECT_EQ(figure, (std::vector<std::size_t>{3, 4, 5}));
  EXPECT_EQ(baseline, figure);
}

TEST_F(paired, figures_are_for_one_operation) {
  round(10, 30, 20);
  EXPECT_DOUBLE_EQ(pair.result().ns, 30);
  EXPECT_DOUBLE_EQ(pair.result().baseline_ns, 20);
  EXPECT_DOUBLE_EQ(pair.result().ratio, 1.5);
  EXPECT_DOUBLE_EQ(pair.last_seconds(), 300e-9);
}

TEST_F(paired, one_disturbed_round_does_not_count) {
  for (const long takes : {20, 9000, 20, 20, 20, 20}) round(1, takes, 10);
  EXPECT_DOUBLE_EQ(pair.result().ns, 20);
  EXPECT_DOUBLE_EQ(pair.result().ratio, 2);
}

// A machine that slows down half-way: the ratio is that of the rounds, not that of the medians.
TEST_F(paired, what_slows_both_leaves_the_ratio) {
  for (int i = 0; i < 4; ++i) round(1, 30, 10);
  for (int i = 0; i < 6; ++i) round(1, 900, 300);
  for (int i = 0; i < 4; ++i) round(1, 90, 10);
  EXPECT_DOUBLE_EQ(pair.result().ns, 90);
  EXPECT_DOUBLE_EQ(pair.result().baseline_ns, 10);
  EXPECT_DOUBLE_EQ(pair.result().ratio, 3);
}

// Who goes second finds the data in the processor's cache. In the middle of quotients of single rounds there would be one or the other.
TEST_F(paired, going_first_costs_both_the_same) {
  for (int i = 0; i < 10; ++i) {
    const bool figure_first = i % 2 == 0;
    round(1, figure_first ? 30 : 10, figure_first ? 10 : 30);
  }
  EXPECT_DOUBLE_EQ(pair.result().ratio, 1);
}

TEST_F(paired, no_round_no_figures) {
  EXPECT_EQ(pair.result().ns, 0);
  EXPECT_EQ(pair.result().ratio, 0);
}

}  // namespace
}  // namespace xip::tool
