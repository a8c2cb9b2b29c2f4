// Tells the sanitizers which stack runs: they cannot see a switch of stacks by themselves. Empty in other builds.
#pragma once

#include <cstddef>

#include <xip/base/annotations.h>

#include "explore/address_marks.h"

#if XIP_EXPLORE_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if XIP_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace xip::explore {

// One for each fiber, and one for the host thread's own stack.
struct sanitizer_fiber {
#if XIP_EXPLORE_ASAN
  const void* bottom = nullptr;  // of its stack; the host thread's is learnt when it is left for the first time
  std::size_t bytes = 0;
  void* fake_stack = nullptr;  // while it does not run
#endif
#if XIP_THREAD_SANITIZER
  void* thread = nullptr;  // what ThreadSanitizer takes for a thread
#endif
};

inline void adopt_host_stack([[maybe_unused]] sanitizer_fiber& f) noexcept {
#if XIP_THREAD_SANITIZER
  f.thread = __tsan_get_current_fiber();
#endif
}

inline void begin_stack([[maybe_unused]] sanitizer_fiber& f, [[maybe_unused]] const void* bottom,
                        [[maybe_unused]] std::size_t bytes) noexcept {
#if XIP_EXPLORE_ASAN
  f = {bottom, bytes, nullptr};
#endif
#if XIP_THREAD_SANITIZER
  f.thread = __tsan_create_fiber(0);
#endif
}

// F will never run again, and does not run now.
inline void end_stack([[maybe_unused]] sanitizer_fiber& f) noexcept {
#if XIP_THREAD_SANITIZER
  __tsan_destroy_fiber(f.thread);
#endif
}

// Right before the jump from FROM to TO. LAST: FROM will never run again, so what AddressSanitizer keeps for it is given back.
// ThreadSanitizer is told that what happened before the switch happened before what comes after it: the fibers are one host thread.
// Inlined always: a call would be entered on one stack and left on the other.
[[gnu::always_inline]] inline void before_switch([[maybe_unused]] sanitizer_fiber& from, [[maybe_unused]] sanitizer_fiber& to,
                                                 [[maybe_unused]] bool last) noexcept {
#if XIP_EXPLORE_ASAN
  __sanitizer_start_switch_fiber(last ? nullptr : &from.fake_stack, to.bottom, to.bytes);
#endif
#if XIP_THREAD_SANITIZER
  __tsan_switch_to_fiber(to.thread, 0);
#endif
}

// First thing on the stack of SELF, which CAME_FROM has just left.
[[gnu::always_inline]] inline void after_switch([[maybe_unused]] sanitizer_fiber& self,
                                                [[maybe_unused]] sanitizer_fiber& came_from) noexcept {
#if XIP_EXPLORE_ASAN
  __sanitizer_finish_switch_fiber(self.fake_stack, &came_from.bottom, &came_from.bytes);
#endif
}

}  // namespace xip::explore
