// A deterministic scheduler on the hook alone: one thread runs at a time, a seed chooses who runs next at each event, and time is a number.
// It has no other way to let a thread wait or go on, so a lock that blocked elsewhere would hang it.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <xip/locks/sched_hook.h>
#include <xip/locks/thread_context.h>
#include <xip/locks/waiter.h>

namespace xip::test {

class toy_scheduler final : public sched_hook {
 public:
  explicit toy_scheduler(std::uint32_t seed) : random_{seed} {}
  ~toy_scheduler() {
    for (auto& t : tasks_)
      if (t.host.joinable()) t.host.join();
  }

  // Runs ROOT, and what it starts, to its end on this scheduler.
  void run(std::function<void()> root) {
    thread_context context;
    context.name = "root";
    context.sched = this;
    tasks_.emplace_back().context = &context;
    const current_scope scope{context};
    root();
  }

  void on_lock(sched_event event, const lock_class& cls, const void*, bool) noexcept override {
    trace.push_back(std::to_string(running_) + " " + names[static_cast<int>(event)] + " " + cls.name);
    ++events[static_cast<int>(event)];
    switch_to(choose(event == sched_event::yield));
  }

  bool block(waiter& w, nanoseconds deadline) noexcept override {
    if (w.hook_data == woken) return true;
    task& me = tasks_[running_];
    me.blocked = true;
    me.timed_out = false;
    me.deadline = deadline;
    ++blocked;
    switch_to(choose(true));
    return !me.timed_out;
  }

  void wake(waiter& w) noexcept override {
    w.hook_data = woken;
    for (task& t : tasks_)
      if (t.context == &w.thread) t.blocked = false;
  }

  std::uint64_t spawn(thread_context& context, void (*body)(void*), void* argument) noexcept override {
    const std::size_t number = tasks_.size();
    task& made = tasks_.emplace_back();
    made.context = &context;
    context.id = static_cast<std::uint32_t>(number);
    made.host = std::thread{[this, number, body, argument] {
      wait_for_turn(number);
      body(argument);
      task& me = tasks_[number];
      me.done = true;
      for (task& t : tasks_)
        if (t.blocked && t.joins == number) t.blocked = false;
      hand_baton(choose(true));
    }};
    return number;
  }

  void join(std::uint64_t thread) noexcept override {
    task& me = tasks_[running_];
    while (!tasks_[thread].done) {
      me.blocked = true;
      me.joins = thread;
      me.deadline = nanoseconds::max();
      switch_to(choose(true));
    }
  }

  nanoseconds monotonic_now() noexcept override { return now; }
  nanoseconds realtime_now() noexcept override { return now; }

  static constexpr const char* names[] = {"acquire", "acquired", "release", "wait", "wake", "yield"};
  std::vector<std::string> trace;
  int events[6] = {};
  int blocked = 0;
  nanoseconds now{0};

 private:
  static constexpr std::uint64_t woken = 1;
  static constexpr std::uint64_t nobody = ~std::uint64_t{0};
  struct task {
    thread_context* context = nullptr;
    std::thread host;
    bool blocked = false;
    bool done = false;
    bool timed_out = false;
    std::uint64_t joins = nobody;
    nanoseconds deadline = nanoseconds::max();
  };

  // Who runs next. OTHER: not the one that runs now, unless nobody else can.
  std::size_t choose(bool other) {
    for (;;) {
      std::vector<std::size_t> ready;
      for (std::size_t i = 0; i < tasks_.size(); ++i)
        if (!tasks_[i].blocked && !tasks_[i].done && (!other || i != running_)) ready.push_back(i);
      if (!ready.empty()) return ready[next_random() % ready.size()];
      if (other && !tasks_[running_].blocked && !tasks_[running_].done) return running_;
      let_time_pass();
    }
  }
  void let_time_pass() {
    task* next = nullptr;
    for (task& t : tasks_)
      if (t.blocked && t.deadline != nanoseconds::max() && (next == nullptr || t.deadline < next->deadline)) next = &t;
    if (next == nullptr) {
      for (const auto& line : trace) std::fprintf(stderr, "%s\n", line.c_str());
      std::fprintf(stderr, "toy_scheduler: nobody can run\n");
      std::abort();
    }
    now = std::max(now, next->deadline);
    next->blocked = false;
    next->timed_out = true;
  }

  // splitmix32: neighbouring seeds differ from the first number on.
  std::uint32_t next_random() {
    std::uint32_t z = random_ += 0x9e3779b9;
    z = (z ^ (z >> 16)) * 0x85ebca6b;
    z = (z ^ (z >> 13)) * 0xc2b2ae35;
    return z ^ (z >> 16);
  }

  void hand_baton(std::size_t to) {
    const std::lock_guard guard{baton_};
    running_ = to;
    turn_.notify_all();
  }
  void wait_for_turn(std::size_t me) {
    std::unique_lock guard{baton_};
    turn_.wait(guard, [&] { return running_ == me; });
  }
  void switch_to(std::size_t to) {
    const std::size_t me = running_;
    if (to == me) return;
    hand_baton(to);
    wait_for_turn(me);
  }

  std::deque<task> tasks_;  // stable addresses
  std::size_t running_ = 0;
  std::uint32_t random_;
  std::mutex baton_;
  std::condition_variable turn_;
};

}  // namespace xip::test
