// Small programs for the explorer's own tests, and how they are run.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <xip/base/points.h>
#include <xip/explore/explore.h>
#include <xip/locks/mutex.h>

#include "explore/engine.h"

namespace xip::explore::test {

inline constexpr lock_class first_class{"test_first"};
inline constexpr lock_class second_class{"test_second"};

// What the program does means nothing to these: they are places where tasks may be switched.
inline void here(std::uint64_t a = 0) { XIP_POINT(xip_copy_piece, a); }
inline void there(std::uint64_t a = 0) { XIP_POINT(xip_before_drain, a); }

inline void expect_that(bool holds, const char* what) {
  if (!holds) throw failure{what};
}

inline explore_options with(const char* strategy) {
  explore_options o;
  o.strategies = {*parse_strategy(strategy)};
  return o;
}

// Both read, then write what they read and one: an update is lost if somebody comes between.
struct counter {
  int value = 0;
  void add_one() {
    const int seen = value;
    here();
    value = seen + 1;
  }
};

// TASKS tasks that pass POINTS points each and share nothing.
inline program strangers(std::size_t tasks, int points) {
  program p{.name = "strangers", .state = {}};
  for (std::size_t i = 0; i < tasks; ++i)
    p.tasks.push_back({"t" + std::to_string(i), [points] {
                         for (int n = 0; n < points; ++n) here(static_cast<std::uint64_t>(n));
                       }});
  return p;
}

inline engine_settings plain_settings() { return {20'000, std::size_t{64} << 10, std::bitset<point_count>{}.set(), true}; }

// The hashes of all schedules of P under S; schedules that do not count are left out.
inline std::vector<std::uint64_t> hashes_of(engine& runs, strategy& s, std::uint64_t limit = ~std::uint64_t{0}) {
  std::vector<std::uint64_t> hashes;
  while (hashes.size() < limit && s.begin()) {
    const std::uint64_t hash = runs.run(s, false).hash;
    s.end();
    if (s.counts()) hashes.push_back(hash);
  }
  return hashes;
}

inline std::uint64_t choose_of(std::uint64_t n, std::uint64_t k) {
  std::uint64_t ways = 1;
  for (std::uint64_t i = 1; i <= k; ++i) ways = ways * (n - k + i) / i;
  return k > n ? 0 : ways;
}

}  // namespace xip::explore::test
