// Figures, not judgements: run with --gtest_also_run_disabled_tests --gtest_filter='*Speed*'.
#include <cstdio>

#include <xip/explore/snapshot_arena.h>
#include <xip/locks/clock.h>

#include "explore/litmus.h"

namespace xip::explore::test {
namespace {

void print_speed(const char* what, const program& p, const char* strategy) {
  explore_options o = with(strategy);
  o.max_schedules = 1'000'000;
  o.max_time = nanoseconds{5'000'000'000};
  const report r = explore(p, o);
  std::printf("%-44s %-10s %10.0f schedules/s  %5.1f steps each\n", what, strategy, r.per_second(),
              static_cast<double>(r.steps) / static_cast<double>(r.schedules));
}

program two_lockers(fresh<mutex<first_class>>& m, int times) {
  program p{.name = "lockers", .state = {&m}};
  for (const char* name : {"a", "b"})
    p.tasks.push_back({name, [&m, times] {
                         for (int i = 0; i < times; ++i) {
                           const mutex_guard guard{*m};
                           here();
                         }
                       }});
  return p;
}

TEST(Speed, DISABLED_LitmusOfTwoTasks) {
  fresh<mutex<first_class>> m;
  for (const int times : {1, 4}) {
    const program p = two_lockers(m, times);
    const std::string what = "two tasks, each " + std::to_string(times) + " x lock, point, unlock";
    for (const char* strategy : {"exhaustive", "pct=3", "random"}) print_speed(what.c_str(), p, strategy);
  }
}

TEST(Speed, DISABLED_RestoreOfAnArena) {
  for (const std::size_t kib : {64u, 256u, 1024u, 4096u}) {
    snapshot_arena arena;
    for (std::size_t i = 0; i < kib; ++i) std::fill_n(static_cast<char*>(arena.allocate(1024)), 1024, 'x');
    ASSERT_TRUE(arena.save().has_value());
    const nanoseconds start = monotonic_now();
    for (int i = 0; i < 1000; ++i) arena.restore();
    std::printf("arena of %4zu KiB: %6.1f us\n", kib, static_cast<double>((monotonic_now() - start).count()) / 1e6);
  }
}

}  // namespace
}  // namespace xip::explore::test
