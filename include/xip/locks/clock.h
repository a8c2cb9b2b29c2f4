// The only clock in the tree. It asks the running thread's scheduler hook, or the host.
#pragma once

#include <xip/locks/sched_hook.h>

namespace xip {

// For deadlines and measuring.
[[nodiscard]] nanoseconds monotonic_now() noexcept;
// For file times, at the granularity of Linux's current_time(): the host's coarse clock (a few milliseconds).
[[nodiscard]] nanoseconds realtime_now_coarse() noexcept;

}  // namespace xip
