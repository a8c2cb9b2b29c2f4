#include <xip/locks/wait_for.h>

#include <xip/locks/raw_spin.h>
#include <xip/locks/sched_hook.h>
#include <xip/locks/thread_context.h>

namespace xip {

// Under a scheduler whoever brings the state about runs only if we let it.
void let_others_run(const void* instance, unsigned turn) noexcept {
  if (sched_hook* const sched = current().sched; sched != nullptr)
    sched->on_lock(sched_event::yield, wait_for_class, instance, false);
  else
    spin_turn(turn);
}

}  // namespace xip
