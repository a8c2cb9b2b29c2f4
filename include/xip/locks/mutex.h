// mutex: one holder, first come first served, recursion is an error. Linux: kernel/locking/mutex.c.
#pragma once

#include <xip/base/annotations.h>
#include <xip/locks/lock_core.h>

namespace xip {

template <const lock_class& Class>
class XIP_CAPABILITY("mutex") mutex {
 public:
  constexpr mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  void lock(lock_subclass subclass = subclass_normal) noexcept XIP_ACQUIRE() { core_.lock_exclusive(Class, subclass); }
  [[nodiscard]] bool try_lock(lock_subclass subclass = subclass_normal) noexcept XIP_TRY_ACQUIRE(true) {
    return core_.try_lock_exclusive(Class, subclass);
  }
  void unlock() noexcept XIP_RELEASE() { core_.unlock_exclusive(Class); }

  // Fails loudly unless the running thread holds it (checked where lockdep is compiled in).
  void assert_held() const noexcept XIP_ASSERT_CAPABILITY(this) { core_.assert_held_exclusive(Class); }

  // Somebody, or how many, wait for it and cannot come in any more.
  [[nodiscard]] bool has_waiters() const noexcept { return core_.has_waiters(); }
  [[nodiscard]] unsigned waiters() noexcept { return core_.waiters(); }

 private:
  lock_core core_;
};

template <class Mutex>
class XIP_SCOPED_CAPABILITY mutex_guard {
 public:
  mutex_guard(Mutex& m, already_locked_t) noexcept XIP_REQUIRES(m) : mutex_{m} {}
  explicit mutex_guard(Mutex& m, lock_subclass subclass = subclass_normal) noexcept XIP_ACQUIRE(m) : mutex_{m} { m.lock(subclass); }
  ~mutex_guard() XIP_RELEASE() { mutex_.unlock(); }
  mutex_guard(const mutex_guard&) = delete;
  mutex_guard& operator=(const mutex_guard&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace xip
