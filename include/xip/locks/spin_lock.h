// spin_lock: for a few instructions; nothing that blocks may happen under it. Linux: spinlock_t.
#pragma once

#include <atomic>
#include <cstdint>

#include <xip/base/annotations.h>
#include <xip/locks/lock_core.h>

namespace xip {

// What all spin_locks are made of. Unlike lock_core it hands nothing over: a waiter tries again, and under a scheduler lets others run.
class spin_core {
 public:
  constexpr spin_core() noexcept = default;
  spin_core(const spin_core&) = delete;
  spin_core& operator=(const spin_core&) = delete;

  void lock(const lock_class& cls) noexcept {
    thread_context& me = current();
    if (lock_operations_watched(me)) [[unlikely]]
      return lock_watched(me, cls);
    if (!take()) [[unlikely]]
      wait_and_take(me, cls);
  }
  [[nodiscard]] bool try_lock(const lock_class& cls) noexcept {
    thread_context& me = current();
    if (lock_operations_watched(me)) [[unlikely]]
      return try_lock_watched(me, cls);
    return take();
  }
  void unlock(const lock_class& cls) noexcept {
    thread_context& me = current();
    if (lock_operations_watched(me)) [[unlikely]]
      return unlock_watched(me, cls);
    held_.store(0, std::memory_order_release);
  }
  void assert_held(const lock_class& cls) const noexcept {
    if constexpr (lockdep_compiled_in) {
      thread_context& me = current();
      if (me.deps != nullptr) me.deps->assert_held(me, cls, this, true);
    }
  }

 private:
  [[nodiscard]] bool take() noexcept { return held_.exchange(1, std::memory_order_acquire) == 0; }
  void wait_and_take(thread_context& me, const lock_class& cls) noexcept;
  void lock_watched(thread_context& me, const lock_class& cls) noexcept;
  [[nodiscard]] bool try_lock_watched(thread_context& me, const lock_class& cls) noexcept;
  void unlock_watched(thread_context& me, const lock_class& cls) noexcept;

  std::atomic<std::uint32_t> held_{0};
};

// CLASS has kind spinning, so that lockdep reports who blocks under it.
template <const lock_class& Class>
class XIP_CAPABILITY("spin_lock") spin_lock {
  static_assert(Class.kind == lock_kind::spinning);

 public:
  constexpr spin_lock() noexcept = default;
  spin_lock(const spin_lock&) = delete;
  spin_lock& operator=(const spin_lock&) = delete;

  void lock() noexcept XIP_ACQUIRE() { core_.lock(Class); }
  [[nodiscard]] bool try_lock() noexcept XIP_TRY_ACQUIRE(true) { return core_.try_lock(Class); }
  void unlock() noexcept XIP_RELEASE() { core_.unlock(Class); }
  // Fails loudly unless the running thread holds it (checked where lockdep is compiled in).
  void assert_held() const noexcept XIP_ASSERT_CAPABILITY(this) { core_.assert_held(Class); }

 private:
  spin_core core_;
};

template <class Lock>
class XIP_SCOPED_CAPABILITY spin_guard {
 public:
  explicit spin_guard(Lock& l) noexcept XIP_ACQUIRE(l) : lock_{l} { l.lock(); }
  ~spin_guard() XIP_RELEASE() { lock_.unlock(); }
  spin_guard(const spin_guard&) = delete;
  spin_guard& operator=(const spin_guard&) = delete;

 private:
  Lock& lock_;
};

}  // namespace xip
