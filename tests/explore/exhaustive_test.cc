// Exhaustive search runs each schedule once, and its bound counts what it says.
#include <algorithm>

#include "explore/litmus.h"

namespace xip::explore::test {
namespace {

// Two tasks of M pieces each. A schedule with S switches is S + 1 runs, alternating; the pieces of a task are cut into as many runs in
// choose(M - 1, runs - 1) ways; either task begins. All switches but the last, when one task has ended, are preemptions.
std::uint64_t schedules_within(std::uint64_t pieces, std::uint64_t bound) {
  std::uint64_t count = 0;
  for (std::uint64_t preemptions = 0; preemptions <= bound; ++preemptions) {
    const std::uint64_t runs = preemptions + 2;
    count += 2 * choose_of(pieces - 1, (runs + 1) / 2 - 1) * choose_of(pieces - 1, runs / 2 - 1);
  }
  return count;
}

TEST(Exhaustive, BoundedCountIsTheClosedForm) {
  for (int points = 0; points <= 5; ++points) {
    const program p = strangers(2, points);
    for (std::uint32_t bound = 0; bound <= 4; ++bound) {
      const report r = explore(p, with(("bound=" + std::to_string(bound)).c_str()));
      EXPECT_TRUE(r.passed());
      EXPECT_TRUE(r.complete);
      EXPECT_EQ(r.schedules, schedules_within(static_cast<std::uint64_t>(points) + 1, bound)) << points << " points, bound " << bound;
    }
  }
}

TEST(Exhaustive, UnboundedCountIsAllInterleavings) {
  EXPECT_EQ(explore(strangers(2, 3), with("exhaustive")).schedules, choose_of(8, 4));
  EXPECT_EQ(explore(strangers(3, 1), with("exhaustive")).schedules, choose_of(6, 2) * choose_of(4, 2));
  EXPECT_EQ(explore(strangers(1, 9), with("exhaustive")).schedules, 1u);
  EXPECT_EQ(explore(strangers(0, 0), with("exhaustive")).schedules, 1u);
}

TEST(Exhaustive, NoScheduleComesTwice) {
  const program p = strangers(3, 2);
  engine runs{p, plain_settings()};
  ASSERT_EQ(runs.set_up().failed, failure_kind::none);
  const auto s = make_strategy(strategy_spec{});
  std::vector<std::uint64_t> hashes = hashes_of(runs, *s);
  EXPECT_EQ(hashes.size(), choose_of(9, 3) * choose_of(6, 3));
  std::ranges::sort(hashes);
  EXPECT_EQ(std::ranges::adjacent_find(hashes), hashes.end());
}

TEST(Exhaustive, PointsThatAreNotSelectedAreNoSwitchPoints) {
  explore_options o = with("exhaustive");
  o.switch_at.reset(static_cast<std::size_t>(point::xip_copy_piece));
  EXPECT_EQ(explore(strangers(2, 5), o).schedules, 2u);
}

// Each passes start, acquire: two pieces, and a third one if it has to wait for the lock. Worked out by hand: 2 in order; each of the two
// that is stopped before its acquire, 2 ways on; none can be stopped inside, there is no point.
TEST(Exhaustive, AcquireIsASwitchPointAndReleaseIsNot) {
  fresh<mutex<first_class>> m;
  program p{.name = "lockers", .state = {&m}};
  for (const char* name : {"a", "b"}) p.tasks.push_back({name, [&m] { const mutex_guard guard{*m}; }});
  const report r = explore(p, with("exhaustive"));
  EXPECT_TRUE(r.passed());
  EXPECT_EQ(r.schedules, choose_of(4, 2));
}

TEST(Exhaustive, CorrectCounterSurvives) {
  fresh<counter> shared;
  fresh<mutex<first_class>> m;
  program p{.name = "locked-counter", .state = {&shared, &m}};
  for (const char* name : {"a", "b", "c"})
    p.tasks.push_back({name, [&] {
                         const mutex_guard guard{*m};
                         shared->add_one();
                       }});
  p.check = [&] { expect_that(shared->value == 3, "an update was lost"); };
  const report r = explore(p, with("exhaustive"));
  EXPECT_TRUE(r.passed()) << (r.failures.empty() ? "" : r.failures[0].first.text);
  EXPECT_TRUE(r.complete);
  EXPECT_GT(r.schedules, 100u);
}

}  // namespace
}  // namespace xip::explore::test
