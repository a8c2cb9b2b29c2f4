// engine: runs one schedule after the other on one host thread, and asks a strategy at each choice.
#pragma once

#include <array>
#include <bitset>
#include <memory>
#include <string>
#include <vector>

#include <xip/explore/failure.h>
#include <xip/explore/program.h>
#include <xip/explore/strategy.h>
#include <xip/explore/trace.h>
#include <xip/locks/waiter.h>

#include "explore/coverage.h"
#include "explore/fiber.h"
#include "explore/lock_names.h"

namespace xip::explore {

struct engine_settings {
  std::uint64_t max_steps;
  std::size_t stack_bytes;
  std::bitset<point_count> switch_at;  // named points; the others are only told to the listener
  bool switch_at_acquire;
};

// How a schedule went.
struct outcome {
  failure_kind failed = failure_kind::none;
  std::string text;
  std::uint64_t steps = 0;
  std::uint64_t preemptions = 0;  // early timers included
  std::uint64_t hash = 0;         // of all events
  std::vector<deviation> deviations;
};

class engine final : public scheduler {
 public:
  engine(const program& p, const engine_settings& settings);
  ~engine();

  // The program's setup, then save() of its state. What is not none will fail each schedule, too.
  [[nodiscard]] const outcome& set_up();
  // One schedule from the saved state, its check included. Valid until the next one.
  const outcome& run(strategy& s, bool record_events);
  void restore() noexcept;

  [[nodiscard]] std::vector<event>& events() noexcept { return events_; }  // of the last schedule, if it was recorded
  [[nodiscard]] std::vector<std::string> task_names() const;               // likewise
  [[nodiscard]] const coverage& covered() const noexcept { return coverage_; }
  [[nodiscard]] std::string site_name(site s) const;
  [[nodiscard]] std::uint32_t site_count() const noexcept;

  void on_lock(sched_event event, const lock_class& cls, const void* instance, bool exclusive) noexcept override;
  bool block(waiter& w, nanoseconds deadline) noexcept override;
  void wake(waiter& w) noexcept override;
  std::uint64_t spawn(thread_context& context, void (*body)(void*), void* argument) noexcept override;
  void join(std::uint64_t thread) noexcept override;
  nanoseconds monotonic_now() noexcept override { return now_; }
  nanoseconds realtime_now() noexcept override;

  void on_point(point p, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept override;
  int inject(point p, std::uint64_t a, std::uint64_t b) noexcept override;

  [[noreturn]] void fail(std::string_view text) noexcept override;
  void set_listener(point_sink* listener) noexcept override { listener_ = listener; }
  [[nodiscard]] std::uint32_t running_task() const noexcept override { return running_; }
  [[nodiscard]] std::string_view task_name(std::uint32_t task) const noexcept override {
    return task < count_ ? std::string_view{tasks_[task]->name} : "alone";
  }
  [[nodiscard]] std::uint64_t step() const noexcept override { return step_; }
  void trace(event_kind kind, bool exclusive, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept override;

 private:
  static constexpr std::uint32_t nobody = max_tasks;

  struct lock_held {
    const void* instance;
    lock_names::lock_name name;
    bool exclusive;
  };
  // What a task that cannot go on waits for.
  struct want {
    enum class what : std::uint8_t { nothing, lock, spin, sleep, join } kind = what::nothing;
    bool exclusive = false;
    const void* instance = nullptr;
    lock_names::lock_name name{};
    std::uint64_t task = 0;
  };
  struct task_state {
    engine* owner = nullptr;
    const std::function<void()>* body = nullptr;  // of a program's task
    void (*spawned_body)(void*) = nullptr;        // of a spawned one
    void* argument = nullptr;
    thread_context own;  // of a program's task
    std::string name;
    site at = coverage::start;
    nanoseconds deadline{};
    task_set joined_by = 0;
    want wants;
    std::uint32_t held_count = 0;
    std::array<lock_held, max_held_locks> held;
  };
  struct solo_call {
    engine* owner;
    const std::function<void()>* body;
    failure_kind kind;
  };

  // engine.cc: from one task to another
  void begin_schedule(strategy& s, bool record_events);
  void start_task(std::uint32_t number, thread_context& context);
  void run_alone(const std::function<void()>& body, failure_kind kind);
  void save_state();
  void abandon_unfinished();
  static fiber& task_job(void* argument);
  static fiber& solo_job(void* argument);
  void call_body(task_state& me) noexcept;
  [[nodiscard]] fiber& end_task() noexcept;
  void next_step() noexcept;
  void reach(site at) noexcept;
  void give_way() noexcept;
  [[nodiscard]] std::uint32_t choose(task_set candidates, task_set early, bool voluntary) noexcept;
  [[nodiscard]] std::uint32_t successor() noexcept;
  [[nodiscard]] fiber& hand_over(std::uint32_t to) noexcept;
  [[nodiscard]] task_set first_timers() const noexcept;
  void let_time_reach(nanoseconds at) noexcept;
  void let_spinners_try() noexcept;
  void record_failure(failure_kind kind, std::string_view text);
  [[noreturn]] void leave() noexcept;

  // engine_hook.cc: what tasks do
  void spin(const lock_class& cls, const void* instance, lock_names::lock_name name) noexcept;
  void hold(const void* instance, lock_names::lock_name name, bool exclusive) noexcept;
  void let_go(const void* instance) noexcept;
  [[nodiscard]] bool held_by_anybody(const void* instance) const noexcept;
  [[nodiscard]] bool block_alone(waiter& w, nanoseconds deadline) noexcept;
  void note(event_kind kind, std::uint64_t a = 0) noexcept;
  void note_lock(event_kind kind, lock_names::lock_name name, bool exclusive) noexcept;
  void hash(std::uint64_t value) noexcept { hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15, hash_ ^= hash_ >> 29; }

  // dead_end.cc: what to say when nobody can run
  void report_dead_end();
  [[nodiscard]] std::string lock_text(lock_names::lock_name name) const;
  [[nodiscard]] std::string task_text(std::uint32_t number) const;
  [[nodiscard]] std::string want_text(const want& w) const;
  [[nodiscard]] std::string holders_of(const void* instance) const;

  const program& program_;
  const engine_settings settings_;
  fiber host_;
  fiber solo_;
  thread_context solo_context_;
  std::vector<std::unique_ptr<fiber>> fibers_;  // number N runs task N
  std::vector<std::unique_ptr<task_state>> tasks_;

  strategy* strategy_ = nullptr;
  point_sink* listener_ = nullptr;
  bool saved_ = false;        // the states were
  bool in_schedule_ = false;  // else the setup, the check, or nothing
  failure_kind solo_kind_ = failure_kind::setup;
  std::uint32_t running_ = nobody;
  std::uint32_t count_ = 0;  // of tasks, ended ones included
  std::uint32_t live_ = 0;   // of tasks that have not ended
  task_set ready_ = 0;
  task_set timed_ = 0;     // asleep, with a deadline
  task_set spinning_ = 0;  // wait for anybody's step
  task_set parked_ = 0;    // spin for a lock that somebody is known to hold
  task_set entered_ = 0;   // have run
  task_set ended_ = 0;
  std::uint32_t idle_rounds_ = 0;
  std::uint64_t step_ = 0;
  std::uint64_t hash_ = 0;
  nanoseconds now_{};
  nanoseconds saved_now_{};
  outcome outcome_;
  lock_names names_;
  coverage coverage_;
  bool recording_ = false;
  std::vector<event> events_;
};

}  // namespace xip::explore
