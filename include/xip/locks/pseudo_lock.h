// A pseudo-lock: something that is not a lock but is waited for like one (an open journal handle, a locked page entry, a freeze
// level). It blocks nobody; it tells lockdep that it is held, so that orders through it are checked too.
#pragma once

#include <xip/locks/lock_core.h>

namespace xip {

// INSTANCE tells one from another (the journal, the entry). A subclass of a class that nests orders the instances.
inline void pseudo_acquire(const lock_class& cls, const void* instance, bool exclusive, lock_subclass subclass = subclass_normal) noexcept {
  if constexpr (lockdep_compiled_in) {
    thread_context& me = current();
    if (me.deps != nullptr) me.deps->acquire(me, cls, instance, {.subclass = subclass, .exclusive = exclusive});
  }
}
inline void pseudo_release(const lock_class& cls, const void* instance) noexcept {
  if constexpr (lockdep_compiled_in) {
    thread_context& me = current();
    if (me.deps != nullptr) (void)me.deps->release(me, cls, instance);
  }
}
// True also where nobody checks: for assertions.
[[nodiscard]] inline bool pseudo_held(const lock_class& cls, const void* instance) noexcept {
  if constexpr (lockdep_compiled_in) {
    const thread_context& me = current();
    return me.deps == nullptr || me.deps->holds(me, cls, instance);
  }
  return true;
}
// Records what waiting for it here would mean (a commit waits for all handles), without acquiring it. Whoever holds one of a class that
// does not nest would wait for itself: recursion.
inline void might_wait_for(const lock_class& cls) noexcept {
  if constexpr (lockdep_compiled_in) {
    thread_context& me = current();
    if (me.deps != nullptr) me.deps->might_wait_for(me, cls);
  }
}

}  // namespace xip
