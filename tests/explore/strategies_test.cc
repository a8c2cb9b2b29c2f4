// Each strategy finds what it is for, and shards divide the schedules.
#include <algorithm>

#include "explore/litmus.h"

namespace xip::explore::test {
namespace {

// The bug needs two preemptions: A has to be stopped between its two points, B between its two, and C has to run in between.
struct relay {
  int stage = 0;
  bool hit = false;
};

program two_preemptions(fresh<relay>& r) {
  program p{.name = "two-preemptions", .state = {&r}};
  p.tasks = {{"a",
              [&r] {
                r->stage = 1;
                here();
                if (r->stage == 1) r->stage = 0;
              }},
             {"b",
              [&r] {
                if (r->stage == 1) r->stage = 2;
                here();
                if (r->stage == 2) r->stage = 0;
              }},
             {"c", [&r] {
                if (r->stage == 2) r->hit = true;
              }}};
  p.check = [&r] { expect_that(!r->hit, "stage 2 was seen"); };
  return p;
}

TEST(Strategies, BoundTwoFindsWhatBoundOneCannot) {
  fresh<relay> state;
  const program p = two_preemptions(state);
  const report one = explore(p, with("bound=1"));
  EXPECT_TRUE(one.passed());
  EXPECT_TRUE(one.complete);
  const report two = explore(p, with("bound=2"));
  ASSERT_EQ(two.failures.size(), 1u);
  EXPECT_EQ(two.failures[0].minimised.preemptions, 2u);
  const report policy = explore(p);
  ASSERT_EQ(policy.failures.size(), 1u);
  EXPECT_EQ(policy.failures[0].strategy, "bound=2");
}

// How many schedules STRATEGY needs for a first failure of P, on average over 100 seeds.
double mean_schedules(const program& p, const char* strategy) {
  std::uint64_t all = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    explore_options o = with(strategy);
    o.seed = seed;
    o.max_schedules = 10'000;
    o.minimise_steps = 0;
    const report r = explore(p, o);
    EXPECT_FALSE(r.passed()) << strategy << ", seed " << seed;
    all += r.schedules;
  }
  return static_cast<double>(all) / 100;
}

// A lost update among many points: depth 2. The guarantee is 1 / (tasks * points) for each schedule.
TEST(Strategies, PctFindsDepthTwoInExpectedTries) {
  constexpr int points = 10;
  fresh<counter> shared;
  program p{.name = "deep-lost-update", .state = {&shared}};
  for (const char* name : {"a", "b"})
    p.tasks.push_back({name, [&] {
                         for (int i = 0; i < points / 2; ++i) there();
                         shared->add_one();
                         for (int i = 0; i < points / 2; ++i) there();
                       }});
  p.check = [&] { expect_that(shared->value == 2, "an update was lost"); };
  EXPECT_LT(mean_schedules(p, "pct=2"), 2.0 * (2 * points + 2));
}

TEST(Strategies, PctFindsDepthThreeInExpectedTries) {
  fresh<relay> state;
  const program p = two_preemptions(state);
  EXPECT_LT(mean_schedules(p, "pct=3"), 3.0 * 4 * 4);
  EXPECT_LT(mean_schedules(p, "random"), 3.0 * 4 * 4);
}

// PCT's depth 1 has priorities only: it never takes the processor from a task that could go on.
TEST(Strategies, PctOfDepthOneNeverPreempts) {
  const program p = strangers(3, 3);
  engine runs{p, plain_settings()};
  ASSERT_EQ(runs.set_up().failed, failure_kind::none);
  const auto s = make_strategy({.kind = strategy_spec::type::pct, .bound = 1});
  std::set<std::uint64_t> hashes;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(s->begin());
    const outcome& went = runs.run(*s, false);
    s->end();
    ASSERT_EQ(went.preemptions, 0u);
    hashes.insert(went.hash);
  }
  EXPECT_EQ(hashes.size(), 6u);  // all orders of three
}

// All 20 interleavings of 3 and 3 pieces, none of them rare: each step is a fair choice of at most two.
TEST(Strategies, RandomWalkComesToEverySchedule) {
  const program p = strangers(2, 2);
  engine runs{p, plain_settings()};
  ASSERT_EQ(runs.set_up().failed, failure_kind::none);
  const auto s = make_strategy({.kind = strategy_spec::type::random_walk});
  const std::vector<std::uint64_t> hashes = hashes_of(runs, *s, 2'000);
  EXPECT_EQ((std::set<std::uint64_t>{hashes.begin(), hashes.end()}.size()), choose_of(6, 3));
}

TEST(Strategies, SeedsDiffer) {
  const program p = strangers(3, 5);
  engine runs{p, plain_settings()};
  ASSERT_EQ(runs.set_up().failed, failure_kind::none);
  for (const auto kind : {strategy_spec::type::pct, strategy_spec::type::random_walk}) {
    const auto of_seed = [&](std::uint64_t seed) {
      const auto s = make_strategy({.kind = kind, .bound = 3, .seed = seed, .length = 20});
      return hashes_of(runs, *s, 20);
    };
    EXPECT_EQ(of_seed(1), of_seed(1));
    EXPECT_NE(of_seed(1), of_seed(2));
  }
}

TEST(Strategies, ShardsOfASearchAreDisjointAndTheWhole) {
  const program p = strangers(3, 2);
  engine runs{p, plain_settings()};
  ASSERT_EQ(runs.set_up().failed, failure_kind::none);
  for (const std::uint32_t bound : {1u, 2u, strategy_spec::unbounded}) {
    const auto all = make_strategy({.bound = bound});
    std::vector<std::uint64_t> whole = hashes_of(runs, *all), parts;
    for (std::uint32_t i = 0; i < 3; ++i) {
      const auto part = make_strategy({.bound = bound}, {i, 3});
      const std::vector<std::uint64_t> own = hashes_of(runs, *part);
      EXPECT_FALSE(own.empty());
      EXPECT_LT(own.size(), whole.size());
      parts.insert(parts.end(), own.begin(), own.end());
    }
    std::ranges::sort(whole);
    std::ranges::sort(parts);
    EXPECT_EQ(parts, whole);
  }
}

TEST(Strategies, ShardsReportOnlyTheirOwn) {
  const program p = strangers(2, 4);
  const std::uint64_t whole = explore(p, with("bound=2")).schedules;
  std::uint64_t parts = 0;
  for (std::uint32_t i = 0; i < 4; ++i) {
    explore_options o = with("bound=2");
    o.part = {i, 4};
    parts += explore(p, o).schedules;
  }
  EXPECT_EQ(parts, whole);
}

TEST(Strategies, SearchNoticesOtherCandidatesThanBefore) {
  const auto s = make_strategy(strategy_spec{});
  const auto run = [&](task_set candidates) {
    EXPECT_TRUE(s->begin());
    const std::uint32_t chosen = s->choose({.step = 3, .candidates = candidates, .early = 0, .running = 0, .usual = 0, .voluntary = false});
    s->end();
    return chosen;
  };
  EXPECT_EQ(run(0b111), 0u);
  EXPECT_FALSE(s->diverged());
  EXPECT_EQ(run(0b111), 1u);
  EXPECT_FALSE(s->diverged());
  EXPECT_EQ(run(0b011), 0u);  // 2 was to come, and cannot
  EXPECT_TRUE(s->diverged());
}

TEST(Strategies, ShardsOfRandomSchedulesTakeTurns) {
  const program p = strangers(3, 5);
  engine runs{p, plain_settings()};
  ASSERT_EQ(runs.set_up().failed, failure_kind::none);
  const strategy_spec spec{.kind = strategy_spec::type::random_walk, .seed = 5};
  const auto whole = make_strategy(spec);
  const auto first = make_strategy(spec, {0, 2}), second = make_strategy(spec, {1, 2});
  const std::vector<std::uint64_t> all = hashes_of(runs, *whole, 40), even = hashes_of(runs, *first, 20),
                                   odd = hashes_of(runs, *second, 20);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(all[2 * i], even[i]);
    EXPECT_EQ(all[2 * i + 1], odd[i]);
  }
}

TEST(Strategies, NamesGoBothWays) {
  for (const char* name : {"exhaustive", "bound=0", "bound=17", "pct=3", "random"}) EXPECT_EQ(strategy_name(*parse_strategy(name)), name);
  for (const char* name : {"", "bound", "bound=", "bound=x", "bound=1x", "pct=0", "pct=65", "Random"})
    EXPECT_FALSE(parse_strategy(name).has_value()) << name;
}

TEST(Strategies, BudgetStopAndProgressAreHeard) {
  const program p = strangers(3, 9);
  explore_options o = with("random");
  o.max_schedules = 321;
  const report limited = explore(p, o);
  EXPECT_EQ(limited.schedules, 321u);
  EXPECT_FALSE(limited.complete);
  std::atomic<bool> stop{false};
  o.max_schedules = 0;
  o.stop = &stop;
  o.progress_every = nanoseconds{0};
  std::uint64_t told = 0;
  o.on_progress = [&](const progress& now) {
    told = now.schedules;
    EXPECT_EQ(now.strategy, "random");
    stop = now.schedules >= 50;
  };
  const report stopped = explore(p, o);
  EXPECT_TRUE(stopped.stopped);
  EXPECT_EQ(stopped.schedules, told);
}

TEST(Strategies, CoverageTellsWhoMetWhom) {
  const report r = explore(strangers(2, 1), with("bound=0"));
  ASSERT_EQ(r.point_pairs.size(), 1u);  // one ends, the other starts
  EXPECT_EQ(r.point_pairs[0].from, "end");
  EXPECT_EQ(r.point_pairs[0].to, "start");
  const report more = explore(strangers(2, 1), with("exhaustive"));
  EXPECT_EQ(more.point_pairs.size(), 4u);  // at the point: the other starts, or is at it too; at the end likewise
  EXPECT_GT(more.switched_at[static_cast<std::size_t>(point::xip_copy_piece)], 0u);
  EXPECT_EQ(more.switched_at[static_cast<std::size_t>(point::xip_before_drain)], 0u);
}

}  // namespace
}  // namespace xip::explore::test
