// Letting time pass: a device that is slow on purpose, or something of the host that can only be tried again. Nobody ends a delay early; who waits
// for something that another thread brings about takes a wait_queue, a completion or wait_for.
#pragma once

#include <xip/locks/lock_class.h>
#include <xip/locks/sched_hook.h>

namespace xip {

// What a scheduler is told when a thread begins one (sched_event::wait).
inline constexpr lock_class delay_class{"delay"};

// Returns when monotonic_now() has advanced by SPAN: under a scheduler its own clock, so that a test waits for nothing. At once if SPAN is zero or
// less. The caller holds no spinning lock.
void delay(nanoseconds span) noexcept;

}  // namespace xip
