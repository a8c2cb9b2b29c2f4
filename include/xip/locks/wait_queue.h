// Sleeping until a condition holds. Linux: wait_queue_head, wait_event, completion.
#pragma once

#include <atomic>
#include <cstdint>

#include <xip/base/annotations.h>
#include <xip/locks/clock.h>
#include <xip/locks/lock_core.h>
#include <xip/locks/sched_hook.h>

namespace xip {

// What a scheduler is told when a thread sleeps in or wakes a wait_queue or completion (sched_event::wait and wake).
inline constexpr lock_class wait_queue_class{"wait_queue"};

// The condition is re-tested on every wake; the caller's lock, if any, is dropped while asleep and taken again.
class wait_queue {
 public:
  constexpr wait_queue() noexcept = default;
  wait_queue(const wait_queue&) = delete;
  wait_queue& operator=(const wait_queue&) = delete;

  // LOCK (a mutex or spin_lock held by the caller) guards what CONDITION reads. Returns with LOCK held and CONDITION true.
  template <class Lock, class Condition>
  void wait(Lock& lock, Condition&& condition) XIP_NO_THREAD_SAFETY_ANALYSIS {
    const lock_subclass subclass = before_wait(&lock);
    while (!condition()) (void)sleep(lock, subclass, nanoseconds::max());
  }
  // False: DEADLINE (monotonic_now()) passed and CONDITION is still false.
  template <class Lock, class Condition>
  [[nodiscard]] bool wait_until(Lock& lock, nanoseconds deadline, Condition&& condition) XIP_NO_THREAD_SAFETY_ANALYSIS {
    const lock_subclass subclass = before_wait(&lock);
    while (!condition())
      if (!sleep(lock, subclass, deadline)) return condition();
    return true;
  }

  // Who changes the condition does it under LOCK, and wakes after the change, under LOCK or later.
  void wake_one() noexcept {
    if (has_waiters()) wake(false);
  }
  void wake_all() noexcept {
    if (has_waiters()) wake(true);
  }

  // Somebody, or how many, sleep here and nobody has begun to wake them.
  [[nodiscard]] bool has_waiters() const noexcept { return waiters() != 0; }
  [[nodiscard]] unsigned waiters() const noexcept { return waiting_.load(std::memory_order_acquire); }

 private:
  // Queued before LOCK is dropped: whoever changes the condition takes LOCK after that and finds us. False: the deadline passed.
  template <class Lock>
  [[nodiscard]] bool sleep(Lock& lock, lock_subclass subclass, nanoseconds deadline) XIP_NO_THREAD_SAFETY_ANALYSIS {
    waiter w{current()};
    enqueue(w);
    lock.unlock();
    const bool woken = sleep_queued(w, deadline);
    if constexpr (requires { lock.lock(subclass); })
      lock.lock(subclass);
    else
      lock.lock();
    return woken;
  }

  // Tells lockdep that we may block with all that is held but LOCK; the subclass that LOCK is held with.
  [[nodiscard]] static lock_subclass before_wait(const void* lock) noexcept {
    if constexpr (lockdep_compiled_in) {
      thread_context& me = current();
      if (me.deps != nullptr) return me.deps->might_wait(me, lock);
    }
    return subclass_normal;
  }
  void enqueue(waiter& w) noexcept;
  [[nodiscard]] bool sleep_queued(waiter& w, nanoseconds deadline) noexcept;
  void wake(bool all) noexcept;

  raw_spin queue_lock_;
  std::atomic<std::uint32_t> waiting_{0};  // length of queue_; changed under queue_lock_
  waiter_list queue_ XIP_GUARDED_BY(queue_lock_);
};

// Set once, waited for by any number.
class completion {
 public:
  constexpr completion() noexcept = default;
  completion(const completion&) = delete;
  completion& operator=(const completion&) = delete;

  void complete_all() noexcept;
  // When it returns, complete_all() touches the completion no more: who waited may destroy it.
  void wait() noexcept;
  [[nodiscard]] bool done() const noexcept { return done_.load(std::memory_order_acquire); }
  [[nodiscard]] bool has_waiters() const noexcept { return waiting_.load(std::memory_order_acquire); }

 private:
  raw_spin queue_lock_;
  std::atomic<bool> done_{false};     // set under queue_lock_
  std::atomic<bool> waiting_{false};  // queue_ is not empty; changed under queue_lock_
  waiter_list queue_ XIP_GUARDED_BY(queue_lock_);
};

}  // namespace xip
