// The scheduler of an exploration, as the program under test and what listens to it see it.
#pragma once

#include <string_view>

#include <xip/base/points.h>
#include <xip/explore/trace.h>
#include <xip/locks/sched_hook.h>

namespace xip::explore {

// Runs all tasks of a program on one host thread and owns every choice. A program gives it as hook and as point sink to what it makes
// (a kernel instance, a context of its own). Where the tasks may be switched:
//  - before a lock is taken or tried, before sleeping in and before waking a wait queue or completion;
//  - at a named point;
//  - at spawn and join, and where a task cannot go on: it blocks, spins for what another holds, or ends.
// A timer may fire early there, too. Otherwise time, which is virtual, passes only while nobody can run.
// Outside of a schedule (in the setup and the check) there are no choices: whatever would have to wait fails.
class scheduler : public sched_hook, public point_sink {
 public:
  // Fails the schedule at this step. Called by a task, or by what listens to it; does not return there. In a setup or check neither.
  [[noreturn]] virtual void fail(std::string_view text) noexcept = 0;
  // Hears of each point before tasks are switched there, and is asked what to inject. Null: nobody. Not part of the saved state.
  virtual void set_listener(point_sink* listener) noexcept = 0;
  // The number of the running task; of the setup and the check: one past the last possible task.
  [[nodiscard]] virtual std::uint32_t running_task() const noexcept = 0;
  // "alone" for the setup and the check.
  [[nodiscard]] virtual std::string_view task_name(std::uint32_t task) const noexcept = 0;
  // Switch points passed in this schedule.
  [[nodiscard]] virtual std::uint64_t step() const noexcept = 0;
  // Adds an event of the running task to the trace, if one is recorded: KIND is one that listeners tell of (access, alloc, free, commit).
  virtual void trace(event_kind kind, bool exclusive, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept = 0;

 protected:
  ~scheduler() = default;
};

// The most tasks there can be in one schedule, spawned ones included.
inline constexpr std::uint32_t max_tasks = 64;

}  // namespace xip::explore
