// A strategy answers each choice of a schedule, and knows when there is nothing left to try.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <xip/base/result.h>

namespace xip::explore {

// Sets of tasks: bit N is task N.
using task_set = std::uint64_t;
[[nodiscard]] constexpr task_set only(std::uint32_t task) noexcept { return task_set{1} << task; }

// More than one task could go on at a switch point.
struct choice {
  std::uint64_t step;     // which switch point of the schedule
  task_set candidates;    // who could go on
  task_set early;         // those of them who could only because their timer fires although somebody else can run
  std::uint32_t running;  // who got here
  std::uint32_t usual;    // who goes on unless somebody thinks of something better: the running task, else the first that can
  bool voluntary;         // the running task cannot go on

  // What a preemption bound counts: taking the processor from a task that could go on, and early timers.
  [[nodiscard]] unsigned cost(std::uint32_t task) const noexcept {
    return task != usual && (!voluntary || (early & only(task)) != 0) ? 1 : 0;
  }
};

// A part of the schedules: INDEX of COUNT, from 0. The parts have no schedule in common and are the whole together.
struct shard {
  std::uint32_t index = 0;
  std::uint32_t count = 1;
};

// exhaustive: all schedules with at most BOUND preemptions, depth first.
// pct: probabilistic concurrency testing (Burckhardt and others, ASPLOS 2010): random priorities, and random places where the running task
//   gets the lowest one; finds a bug of depth d with a probability of at least 1 / (tasks * length^(d-1)). Never ends.
// random_walk: each choice uniformly. Never ends.
struct strategy_spec {
  enum class type : std::uint8_t { exhaustive, pct, random_walk };
  static constexpr std::uint32_t unbounded = ~std::uint32_t{0};

  type kind = type::exhaustive;
  std::uint32_t bound = unbounded;  // exhaustive: the most preemptions; pct: its depth
  std::uint64_t seed = 1;           // pct, random_walk
  std::uint64_t length = 0;         // pct: the most choices a schedule is known to have; it learns of longer ones

  friend bool operator==(const strategy_spec&, const strategy_spec&) = default;
};

// "bound=2", "exhaustive", "pct=3", "random"; the name of a strategy as messages spell it.
[[nodiscard]] std::string strategy_name(const strategy_spec& spec);
// EINVAL: no such name.
[[nodiscard]] result<strategy_spec> parse_strategy(std::string_view name);

class strategy {
 public:
  virtual ~strategy() = default;

  // Before each schedule. False: all have been run.
  [[nodiscard]] virtual bool begin() = 0;
  // One of the candidates.
  [[nodiscard]] virtual std::uint32_t choose(const choice& c) noexcept = 0;
  // After each schedule.
  virtual void end() {}

  // What it is made of, as a token tells it; PCT's length is that of the schedule begun.
  [[nodiscard]] virtual strategy_spec spec() const noexcept = 0;
  // Of the schedule begun: its number, as a token tells it; whether it counts as one (a shard may have to run what another one counts).
  [[nodiscard]] virtual std::uint64_t number() const noexcept = 0;
  [[nodiscard]] virtual bool counts() const noexcept { return true; }
  // The program offered other choices than before, where it had to offer the same.
  [[nodiscard]] virtual bool diverged() const noexcept { return false; }
};

// Where a schedule leaves the usual way.
struct deviation {
  std::uint64_t step;
  std::uint32_t task;

  friend bool operator==(const deviation&, const deviation&) = default;
};

// SEED-driven ones begin with schedule FIRST.
[[nodiscard]] std::unique_ptr<strategy> make_strategy(const strategy_spec& spec, shard part = {}, std::uint64_t first = 0);
// One schedule: the usual one but for DEVIATIONS, in the order of their steps.
[[nodiscard]] std::unique_ptr<strategy> make_replay(std::vector<deviation> deviations);

}  // namespace xip::explore
