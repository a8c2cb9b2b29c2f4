// lock_core: what mutex and rw_semaphore are made of. Free, it is taken and given back by one atomic operation each; else waiters queue and
// the lock is handed to the first of them.
//
// One word holds the state: writer (somebody holds it exclusive), queued (somebody waits), and the number of readers.
//  - While queued is set nobody takes the lock by itself: grant() hands it over under queue_lock_, to one writer or to all readers up to
//  the
//    next writer. So a reader never overtakes a waiting writer, and nobody starves.
//  - A reader counts itself before it looks. If it then sees writer or queued it takes its count back under queue_lock_, queues and calls
//    grant(). Such a count can keep the lock from a writer only until then, so no hand-over is lost.
//  - Whoever queues sets the flag before it calls grant(); whoever gives back and sees the flag calls grant(). Both are atomic operations
//    on the one word: either the first finds the lock free, or the second finds somebody queued. No wake-up is lost.
//  - A waiter is woken after queue_lock_ is released, and the waker touches the lock no more: who got a mutex may unlock and destroy it.
//    (The last reader's unlock may still be at work then: a rw_semaphore outlives every unlock_shared.)
#pragma once

#include <atomic>
#include <cstdint>

#include <xip/base/annotations.h>
#include <xip/locks/lock_class.h>
#include <xip/locks/lockdep.h>
#include <xip/locks/raw_spin.h>
#include <xip/locks/thread_context.h>
#include <xip/locks/waiter.h>

namespace xip {

// Whether a scheduler or lockdep wants to hear of each lock operation of this thread.
[[nodiscard]] inline bool lock_operations_watched(const thread_context& me) noexcept {
  if constexpr (lockdep_compiled_in)
    return me.sched != nullptr || me.deps != nullptr;
  else
    return me.sched != nullptr;
}

// For a guard of what try_lock() has just taken.
struct already_locked_t {};
inline constexpr already_locked_t already_locked;

class lock_core {
 public:
  constexpr lock_core() noexcept = default;
  lock_core(const lock_core&) = delete;
  lock_core& operator=(const lock_core&) = delete;

  void lock_exclusive(const lock_class& cls, lock_subclass subclass) noexcept {
    thread_context& me = current();
    if (lock_operations_watched(me)) [[unlikely]]
      return lock_watched(me, cls, subclass, true);
    if (!take_exclusive()) [[unlikely]]
      wait_exclusive(me, cls);
  }
  void lock_shared(const lock_class& cls, lock_subclass subclass) noexcept {
    thread_context& me = current();
    if (lock_operations_watched(me)) [[unlikely]]
      return lock_watched(me, cls, subclass, false);
    if (!count_reader()) [[unlikely]]
      wait_shared(me, cls);
  }
  [[nodiscard]] bool try_lock_exclusive(const lock_class& cls, lock_subclass subclass) noexcept {
    thread_context& me = current();
    if (lock_operations_watched(me)) [[unlikely]]
      return try_lock_watched(me, cls, subclass, true);
    return take_exclusive();
  }
  // False also while a writer waits.
  [[nodiscard]] bool try_lock_shared(const lock_class& cls, lock_subclass subclass) noexcept {
    thread_context& me = current();
    if (lock_operations_watched(me)) [[unlikely]]
      return try_lock_watched(me, cls, subclass, false);
    return take_shared();
  }
  void unlock_exclusive(const lock_class& cls) noexcept {
    thread_context& me = current();
    if (lock_operations_watched(me)) [[unlikely]]
      return unlock_watched(me, cls, true);
    give_back_exclusive();
  }
  void unlock_shared(const lock_class& cls) noexcept {
    thread_context& me = current();
    if (lock_operations_watched(me)) [[unlikely]]
      return unlock_watched(me, cls, false);
    give_back_shared();
  }
  // Exclusive becomes shared; readers at the head of the queue come in.
  void downgrade(const lock_class& cls) noexcept;

  void assert_held_exclusive(const lock_class& cls) const noexcept {
    if constexpr (lockdep_compiled_in) {
      thread_context& me = current();
      if (me.deps != nullptr) me.deps->assert_held(me, cls, this, true);
    }
  }
  void assert_held_any(const lock_class& cls) const noexcept {
    if constexpr (lockdep_compiled_in) {
      thread_context& me = current();
      if (me.deps != nullptr) me.deps->assert_held(me, cls, this, false);
    }
  }

  // Somebody has it for himself.
  [[nodiscard]] bool is_held_exclusive() const noexcept { return (word_.load(std::memory_order_acquire) & writer) != 0; }
  // Somebody waits. True as soon as it cannot come in any more, and until it has the lock.
  [[nodiscard]] bool has_waiters() const noexcept { return (word_.load(std::memory_order_acquire) & queued) != 0; }
  // How many wait.
  [[nodiscard]] unsigned waiters() noexcept;

 private:
  static constexpr std::uint32_t writer = 1;
  static constexpr std::uint32_t queued = 2;
  static constexpr std::uint32_t one_reader = 1u << 8;

  [[nodiscard]] bool take_exclusive() noexcept {
    std::uint32_t free = 0;
    return word_.compare_exchange_strong(free, writer, std::memory_order_acquire, std::memory_order_relaxed);
  }
  // False: the count stays, and wait_shared takes it back.
  [[nodiscard]] bool count_reader() noexcept { return (word_.fetch_add(one_reader, std::memory_order_acquire) & (writer | queued)) == 0; }
  [[nodiscard]] bool take_shared() noexcept {
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    while ((seen & (writer | queued)) == 0)
      if (word_.compare_exchange_weak(seen, seen + one_reader, std::memory_order_acquire, std::memory_order_relaxed)) return true;
    return false;
  }
  void give_back_exclusive() noexcept {
    std::uint32_t mine = writer;
    if (!word_.compare_exchange_strong(mine, 0, std::memory_order_release, std::memory_order_relaxed)) [[unlikely]]
      hand_over_exclusive();
  }
  void give_back_shared() noexcept {
    const std::uint32_t before = word_.fetch_sub(one_reader, std::memory_order_release);
    if ((before & queued) != 0 && before / one_reader == 1) [[unlikely]]
      hand_over();
  }

  void wait_exclusive(thread_context& me, const lock_class& cls) noexcept;
  void wait_shared(thread_context& me, const lock_class& cls) noexcept;
  void wait_in_queue(waiter& w, bool counted, const lock_class& cls) noexcept;
  void hand_over_exclusive() noexcept;
  void hand_over() noexcept;
  [[nodiscard]] waiter* grant() noexcept XIP_REQUIRES(queue_lock_);

  void lock_watched(thread_context& me, const lock_class& cls, lock_subclass subclass, bool exclusive) noexcept;
  [[nodiscard]] bool try_lock_watched(thread_context& me, const lock_class& cls, lock_subclass subclass, bool exclusive) noexcept;
  void unlock_watched(thread_context& me, const lock_class& cls, bool exclusive) noexcept;
  [[nodiscard]] bool is_held(bool exclusive) const noexcept;

  std::atomic<std::uint32_t> word_{0};
  raw_spin queue_lock_;
  waiter_list queue_ XIP_GUARDED_BY(queue_lock_);
};

}  // namespace xip
