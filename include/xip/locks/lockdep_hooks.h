// Where the primitives tell lockdep what they do. Called only where it is compiled in.
#pragma once

#include <xip/locks/lock_class.h>
#include <xip/locks/lockdep.h>

namespace xip {

// Checks the order before the thread may block; the edge is recorded even if it never gets the lock.
void lockdep_before_acquire(const lock_class& cls, const void* instance, bool exclusive, lock_subclass subclass) noexcept;
// TRIED: by a try-lock, which cannot deadlock: no edge leads to it, but edges lead from it.
void lockdep_acquired(const lock_class& cls, const void* instance, bool exclusive, lock_subclass subclass, bool tried) noexcept;
void lockdep_released(const lock_class& cls, const void* instance, bool exclusive) noexcept;
void lockdep_downgraded(const lock_class& cls, const void* instance) noexcept;
void lockdep_contended(const lock_class& cls) noexcept;
void lockdep_assert_held(const lock_class& cls, const void* instance, bool exclusive) noexcept;
[[nodiscard]] bool lockdep_is_held(const lock_class& cls, const void* instance) noexcept;
// The thread is about to sleep: no spin_lock may be held.
void lockdep_might_sleep() noexcept;

}  // namespace xip
