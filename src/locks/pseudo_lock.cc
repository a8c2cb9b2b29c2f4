#include <xip/locks/pseudo_lock.h>

namespace xip {

void pseudo_acquire(const lock_class& cls, const void* instance, bool exclusive, lock_subclass subclass) noexcept {
  if constexpr (lockdep_compiled_in) {
    lockdep_before_acquire(cls, instance, exclusive, subclass);
    lockdep_acquired(cls, instance, exclusive, subclass, false);
  }
}

void pseudo_release(const lock_class& cls, const void* instance) noexcept {
  if constexpr (lockdep_compiled_in) lockdep_released(cls, instance, true);
}

bool pseudo_held(const lock_class& cls, const void* instance) noexcept {
  if constexpr (lockdep_compiled_in) return lockdep_is_held(cls, instance);
  return true;
}

void might_wait_for(const lock_class& cls) noexcept {
  if constexpr (lockdep_compiled_in) lockdep_before_acquire(cls, nullptr, true, subclass_normal);
}

}  // namespace xip
