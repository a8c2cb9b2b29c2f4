#include <xip/locks/spin_lock.h>

namespace xip {

// Under a scheduler the holder runs only if we let it; spinning would never end.
void spin_core::wait_and_take(thread_context& me, const lock_class& cls) noexcept {
  if constexpr (lockdep_compiled_in) {
    if (me.deps != nullptr) me.deps->count_contention(cls);
  }
  unsigned turn = 0;
  do {
    while (held_.load(std::memory_order_relaxed) != 0) {
      if (me.sched != nullptr)
        me.sched->on_lock(sched_event::yield, cls, this, true);
      else
        spin_turn(turn++);
    }
  } while (!take());
}

void spin_core::lock_watched(thread_context& me, const lock_class& cls) noexcept {
  if (me.sched != nullptr) me.sched->on_lock(sched_event::acquire, cls, this, true);
  if constexpr (lockdep_compiled_in) {
    if (me.deps != nullptr) me.deps->acquire(me, cls, this, {});
  }
  if (!take()) wait_and_take(me, cls);
  if (me.sched != nullptr) me.sched->on_lock(sched_event::acquired, cls, this, true);
}

bool spin_core::try_lock_watched(thread_context& me, const lock_class& cls) noexcept {
  if (me.sched != nullptr) me.sched->on_lock(sched_event::acquire, cls, this, true);
  if (!take()) return false;
  if constexpr (lockdep_compiled_in) {
    if (me.deps != nullptr) me.deps->acquire(me, cls, this, {.is_try = true});
  }
  if (me.sched != nullptr) me.sched->on_lock(sched_event::acquired, cls, this, true);
  return true;
}

void spin_core::unlock_watched(thread_context& me, const lock_class& cls) noexcept {
  if (me.sched != nullptr) me.sched->on_lock(sched_event::release, cls, this, true);
  if constexpr (lockdep_compiled_in) {
    if (me.deps != nullptr) (void)me.deps->release(me, cls, this);
  }
  held_.store(0, std::memory_order_release);
}

}  // namespace xip
