// rw_semaphore: many readers or one writer. A waiting writer keeps new readers out; waiters are served in order of arrival.
// Linux: kernel/locking/rwsem.c.
#pragma once

#include <xip/base/annotations.h>
#include <xip/locks/lock_core.h>

namespace xip {

template <const lock_class& Class>
class XIP_CAPABILITY("rw_semaphore") rw_semaphore {
 public:
  constexpr rw_semaphore() noexcept = default;
  rw_semaphore(const rw_semaphore&) = delete;
  rw_semaphore& operator=(const rw_semaphore&) = delete;

  void lock(lock_subclass subclass = subclass_normal) noexcept XIP_ACQUIRE() { core_.lock_exclusive(Class, subclass); }
  [[nodiscard]] bool try_lock(lock_subclass subclass = subclass_normal) noexcept XIP_TRY_ACQUIRE(true) {
    return core_.try_lock_exclusive(Class, subclass);
  }
  void unlock() noexcept XIP_RELEASE() { core_.unlock_exclusive(Class); }

  void lock_shared(lock_subclass subclass = subclass_normal) noexcept XIP_ACQUIRE_SHARED() { core_.lock_shared(Class, subclass); }
  [[nodiscard]] bool try_lock_shared(lock_subclass subclass = subclass_normal) noexcept XIP_TRY_ACQUIRE_SHARED(true) {
    return core_.try_lock_shared(Class, subclass);
  }
  void unlock_shared() noexcept XIP_RELEASE_SHARED() { core_.unlock_shared(Class); }

  // Exclusive becomes shared without a moment in which a writer could come between.
  void downgrade() noexcept XIP_RELEASE() XIP_ACQUIRE_SHARED() { core_.downgrade(Class); }

  void assert_held() const noexcept XIP_ASSERT_CAPABILITY(this) { core_.assert_held_exclusive(Class); }
  void assert_held_shared() const noexcept XIP_ASSERT_SHARED_CAPABILITY(this) { core_.assert_held_any(Class); }

  // Somebody has it for himself, now; for checkers, under a scheduler.
  [[nodiscard]] bool is_held_exclusive() const noexcept { return core_.is_held_exclusive(); }
  // Somebody, or how many, wait for it and cannot come in any more.
  [[nodiscard]] bool has_waiters() const noexcept { return core_.has_waiters(); }
  [[nodiscard]] unsigned waiters() noexcept { return core_.waiters(); }

 private:
  lock_core core_;
};

template <class Lock>
class XIP_SCOPED_CAPABILITY exclusive_guard {
 public:
  exclusive_guard(Lock& l, already_locked_t) noexcept XIP_REQUIRES(l) : lock_{l} {}
  explicit exclusive_guard(Lock& l, lock_subclass subclass = subclass_normal) noexcept XIP_ACQUIRE(l) : lock_{l} { l.lock(subclass); }
  ~exclusive_guard() XIP_RELEASE() { lock_.unlock(); }
  exclusive_guard(const exclusive_guard&) = delete;
  exclusive_guard& operator=(const exclusive_guard&) = delete;

 private:
  Lock& lock_;
};

template <class Lock>
class XIP_SCOPED_CAPABILITY shared_guard {
 public:
  shared_guard(Lock& l, already_locked_t) noexcept XIP_REQUIRES_SHARED(l) : lock_{l} {}
  explicit shared_guard(Lock& l, lock_subclass subclass = subclass_normal) noexcept XIP_ACQUIRE_SHARED(l) : lock_{l} {
    l.lock_shared(subclass);
  }
  ~shared_guard() XIP_RELEASE() { lock_.unlock_shared(); }
  shared_guard(const shared_guard&) = delete;
  shared_guard& operator=(const shared_guard&) = delete;

 private:
  Lock& lock_;
};

}  // namespace xip
