// The museum: bugs that were made, or could have been, each of which can be put back and each of which the tests must then find.
// Where XIP_EXHIBITS is 0 (release) it is empty.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xip/explore/explore.h>
#include <xip/scenario/planted_bug.h>
#include <xip/scenario/scenario.h>
#include <xip/vfs/super_block.h>

namespace xip::exhibits {

struct exhibit {
  scenario::planted_bug bug;
  std::string_view what;    // what goes wrong
  std::string_view source;  // where it was, or what it would undo: a function or a commit of Linux
  std::string_view race;    // the scenario that finds it; empty: the crash of a workload does
};

// In the order of their numbers, which are 1, 2, 3 ...
[[nodiscard]] std::span<const exhibit> all_exhibits() noexcept;
// By number ("7") or name; null: there is no such one.
[[nodiscard]] const exhibit* find_exhibit(std::string_view id) noexcept;
// The same for scenario::check_config.
[[nodiscard]] const scenario::planted_bug* find_bug(std::string_view id) noexcept;

// How one exhibit, or the product, went through its race or its crash.
struct showing {
  bool found = false;             // a schedule or a state failed
  bool judged = false;            // by what it did: not by a setup that failed, nor because it cannot be repeated
  std::string_view judge;         // who saw it; empty: nobody
  std::uint64_t needed = 0;       // schedules or states up to the one that failed, or all
  bool complete = false;          // there was nothing left to try
  std::uint32_t preemptions = 0;  // of the schedule that failed, in its smallest form
  std::string text = {}, token = {};
};

struct result_of_exhibit {
  const exhibit* what = nullptr;
  showing checked;    // with lockdep
  showing unchecked;  // what lockdep reports fails nothing. A crash has one task, and is the same in both
  showing product;    // the same race or crash without the bug

  // Both found it, and the product survived.
  [[nodiscard]] bool passed() const noexcept { return checked.judged && unchecked.judged && !product.found; }
};

struct museum_options {
  std::vector<explore::strategy_spec> strategies;  // empty: the explorer's own
  std::uint64_t schedules = 20'000;                // of each exploration; zero: no limit
  std::uint64_t seed = 1;
  const std::atomic<bool>* stop = nullptr;                                    // set by somebody else: end soon
  std::function<void(const exhibit&, const explore::progress&)> on_progress;  // now and then
};

// Runs EXHIBITS, the product once for each race, and tells each result as it comes. A string is the error: something is missing here, or an
// exhibit names a race that is not among SCENARIOS.
[[nodiscard]] std::expected<void, std::string> show(std::span<const exhibit* const> exhibits, const vfs::file_system_type& type,
                                                    std::span<const scenario::scenario* const> scenarios, const museum_options& options,
                                                    const std::function<void(const result_of_exhibit&)>& tell);

// How often strategies find an exhibit: one exploration for each of the seeds 1 to SEEDS.
struct odds {
  const exhibit* what = nullptr;
  std::uint32_t found = 0;
  std::uint32_t seeds = 0;
  std::uint64_t median = 0;  // schedules needed, where it was found
  std::uint64_t worst = 0;
};
[[nodiscard]] std::expected<void, std::string> measure_odds(std::span<const exhibit* const> exhibits, const vfs::file_system_type& type,
                                                            std::span<const scenario::scenario* const> scenarios, std::uint32_t seeds,
                                                            const museum_options& options, const std::function<void(const odds&)>& tell);

}  // namespace xip::exhibits
