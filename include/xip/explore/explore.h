// Explores a program: runs its tasks in many schedules, each of them reproducible, and reports the first that fails.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <xip/base/points.h>
#include <xip/explore/failure.h>
#include <xip/explore/program.h>
#include <xip/explore/strategy.h>
#include <xip/explore/trace.h>

namespace xip::explore {

struct progress {
  std::string strategy;
  std::uint64_t schedules;
  double per_second;
  std::uint64_t point_pairs;
  std::uint64_t failures;
};

struct explore_options {
  // Run in turn, until one is told to stop. Empty: bound=1, bound=2, pct=3, where each bound may use half of the budget that is left.
  std::vector<strategy_spec> strategies;
  std::uint64_t seed = 1;                                                 // of all strategies
  std::uint64_t max_schedules = 100'000;                                  // the budget; zero: no limit
  nanoseconds max_time{0};                                                // the host's; zero: no limit
  shard part = {};                                                        // of the schedules
  std::uint64_t max_steps = 20'000;                                       // of one schedule: more is a livelock
  std::uint32_t max_failures = 1;                                         // go on after fewer
  std::bitset<point_count> switch_at = std::bitset<point_count>{}.set();  // points where tasks may be switched
  bool switch_at_acquire = true;                                          // and whether they may be before a lock is taken
  bool record_trace = true;                                               // of failures
  std::uint64_t minimise_steps = 2'000'000;          // the most that may be spent on minimising a failure; zero: do not
  std::uint64_t repeat_every = 1'000;                // so many schedules passed: repeat one, to see that it is the same; zero: never
  std::size_t stack_bytes = std::size_t{256} << 10;  // of a task
  std::function<void(const progress&)> on_progress = {};
  nanoseconds progress_every{200'000'000};
  const std::atomic<bool>* stop = nullptr;  // set by somebody else: end soon
};

// One schedule, as it was run.
struct schedule_report {
  failure_kind failed = failure_kind::none;
  std::string text;  // why
  std::uint64_t steps = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t deviations = 0;  // from the usual schedule
  std::uint64_t trace_hash = 0;
  std::string token;
  std::vector<std::string> tasks;  // their names
  std::vector<event> trace;        // empty unless it was asked for
};

struct found_failure {
  std::string strategy;
  std::uint64_t schedule = 0;  // counted in the exploration, from 1
  schedule_report first;       // as it was found
  schedule_report minimised;   // with the fewest preemptions, then the fewest deviations, that were found to fail in the same way
};

struct stage_report {
  std::string strategy;
  std::uint64_t schedules = 0;
  bool exhausted = false;  // it had no more
};

struct point_pair {
  std::string from;  // where one task stopped
  std::string to;    // where the next one had been stopped
};

struct report {
  std::string program;
  std::uint64_t schedules = 0;
  std::uint64_t failed_schedules = 0;
  std::uint64_t steps = 0;
  std::uint64_t max_steps = 0;   // of one schedule
  std::uint64_t trace_hash = 0;  // of all schedules, in any order: those of parts add up to that of the whole
  double seconds = 0;
  bool complete = false;  // all strategies ran to their end
  bool stopped = false;   // by explore_options::stop
  std::vector<stage_report> stages;
  std::vector<found_failure> failures;                   // at most max_failures
  std::vector<point_pair> point_pairs;                   // neighbours at a switch, in any schedule
  std::array<std::uint64_t, point_count> switched_at{};  // how often a task was switched away from at each named point

  [[nodiscard]] bool passed() const noexcept { return failed_schedules == 0; }
  [[nodiscard]] double per_second() const noexcept { return seconds > 0 ? static_cast<double>(schedules) / seconds : 0; }
};

// Keeps what explorations of one program share: its setup is run, and its state saved, once. One thread of the host at a time.
class explorer {
 public:
  // PROGRAM must outlive it. A setup that fails is reported by run() and replay().
  explicit explorer(const program& p, explore_options options = {});
  ~explorer();
  explorer(const explorer&) = delete;
  explorer& operator=(const explorer&) = delete;

  // Coverage is counted over all calls.
  [[nodiscard]] report run();
  // The schedule that TOKEN names. Refused, with the reason: TOKEN is of another program, build or version, or no token.
  [[nodiscard]] std::expected<schedule_report, std::string> replay(std::string_view token);
  // The schedule without a preemption, with its trace.
  [[nodiscard]] schedule_report usual();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

[[nodiscard]] report explore(const program& p, explore_options options = {});
[[nodiscard]] std::expected<schedule_report, std::string> replay(const program& p, std::string_view token, explore_options options = {});

}  // namespace xip::explore
