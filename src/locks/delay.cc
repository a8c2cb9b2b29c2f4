#include <xip/locks/delay.h>

#include <xip/locks/clock.h>
#include <xip/locks/lockdep.h>
#include <xip/locks/waiter.h>

namespace xip {

void delay(nanoseconds span) noexcept {
  if (span <= nanoseconds::zero()) return;
  thread_context& me = current();
  if constexpr (lockdep_compiled_in) {
    if (me.deps != nullptr) (void)me.deps->might_wait(me, nullptr);
  }
  const nanoseconds deadline = monotonic_now() + span;
  waiter w{me};  // in no queue: only the deadline ends its sleep
  if (me.sched != nullptr) me.sched->on_lock(sched_event::wait, delay_class, &w, false);
  (void)block_waiter(w, deadline);
}

}  // namespace xip
