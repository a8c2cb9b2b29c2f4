#include <xip/locks/wait_queue.h>

namespace xip {
namespace {

void tell_scheduler(sched_event event, const void* instance) noexcept {
  if (sched_hook* sched = current().sched; sched != nullptr) sched->on_lock(event, wait_queue_class, instance, false);
}

}  // namespace

void wait_queue::enqueue(waiter& w) noexcept {
  const raw_spin_guard guard{queue_lock_};
  queue_.append(w);
  waiting_.fetch_add(1, std::memory_order_release);
}

bool wait_queue::sleep_queued(waiter& w, nanoseconds deadline) noexcept {
  tell_scheduler(sched_event::wait, this);
  if (block_waiter(w, deadline)) return true;
  {
    const raw_spin_guard guard{queue_lock_};
    if (w.queued) {
      queue_.remove(w);
      waiting_.fetch_sub(1, std::memory_order_release);
      return false;
    }
  }
  // A waker took us out at the last moment and is about to wake us: w must live until it has.
  return block_waiter(w);
}

void wait_queue::wake(bool all) noexcept {
  tell_scheduler(sched_event::wake, this);
  waiter* taken = nullptr;
  {
    const raw_spin_guard guard{queue_lock_};
    if (waiter* first = queue_.first(); first != nullptr) {
      taken = all ? queue_.take_all() : queue_.take_up_to(*first);
      std::uint32_t count = 0;
      for (const waiter* w = taken; w != nullptr; w = w->next) ++count;
      waiting_.fetch_sub(count, std::memory_order_release);
    }
  }
  wake_list(taken);
}

void completion::complete_all() noexcept {
  tell_scheduler(sched_event::wake, this);
  waiter* taken = nullptr;
  {
    const raw_spin_guard guard{queue_lock_};
    done_.store(true, std::memory_order_release);
    waiting_.store(false, std::memory_order_release);
    taken = queue_.take_all();
  }
  wake_list(taken);
}

// Also when it is done already we pass through queue_lock_: complete_all() may still be inside.
void completion::wait() noexcept {
  thread_context& me = current();
  if constexpr (lockdep_compiled_in) {
    if (me.deps != nullptr) (void)me.deps->might_wait(me, nullptr);
  }
  tell_scheduler(sched_event::wait, this);
  waiter w{me};
  {
    const raw_spin_guard guard{queue_lock_};
    if (done_.load(std::memory_order_relaxed)) return;
    queue_.append(w);
    waiting_.store(true, std::memory_order_release);
  }
  block_waiter(w);
}

}  // namespace xip
