// Waiting for a state that another thread brings about and tells nobody of: a count, a flag, a queue that has somebody in it. Where the other
// thread can wake us a wait_queue or a completion is right.
#pragma once

#include <xip/locks/lock_class.h>

namespace xip {

// What a scheduler is told when a thread waits so (sched_event::yield).
inline constexpr lock_class wait_for_class{"wait_for"};

// One turn of waiting: other threads may run. TURN counts from zero; INSTANCE tells a scheduler's turns of one wait from those of others.
void let_others_run(const void* instance, unsigned turn) noexcept;

// Returns once CONDITION() is true; it is asked again and again, so it is cheap and changes nothing.
template <class Condition>
void wait_for(Condition&& condition) {
  for (unsigned turn = 0; !condition(); ++turn) let_others_run(&condition, turn);
}

}  // namespace xip
