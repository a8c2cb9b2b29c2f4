// The slow paths of mutex and rw_semaphore: queueing and handing over. What must hold is said in lock_core.h.
#include <xip/locks/lock_core.h>

namespace xip {
namespace {

void count_contention(thread_context& me, const lock_class& cls) noexcept {
  std::atomic_ref{me.contended}.fetch_add(1, std::memory_order_release);
  if constexpr (lockdep_compiled_in) {
    if (me.deps != nullptr) me.deps->count_contention(cls);
  }
  static_cast<void>(cls);
}

}  // namespace

// The head of the queue gets the lock if it can have it now: one writer, or all readers up to the next writer. They are taken off the queue
// and returned for the caller to wake once queue_lock_ is released. With queued set only this function makes holders, so what it sees of
// writer stays true; the number of readers can change under it (readers that leave, and counts about to be taken back), hence the loop.
waiter* lock_core::grant() noexcept {
  waiter* const head = queue_.first();
  if (head == nullptr) return nullptr;
  waiter* last = head;
  std::uint32_t holders = writer;
  if (!head->exclusive) {
    holders = one_reader;
    for (; last->next != nullptr && !last->next->exclusive; last = last->next) holders += one_reader;
  }
  const std::uint32_t in_the_way = head->exclusive ? ~queued : writer;
  const std::uint32_t still_queued = last->next != nullptr ? queued : 0;
  std::uint32_t seen = word_.load(std::memory_order_relaxed);
  do {
    if ((seen & in_the_way) != 0) return nullptr;
  } while (!word_.compare_exchange_weak(seen, ((seen & ~queued) + holders) | still_queued, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  return queue_.take_up_to(*last);
}

// COUNTED: w is a reader that counted itself in vain. Returns with the lock held.
void lock_core::wait_in_queue(waiter& w, bool counted, const lock_class& cls) noexcept {
  waiter* granted = nullptr;
  bool must_wait = false;
  {
    const raw_spin_guard guard{queue_lock_};
    if (counted) word_.fetch_sub(one_reader, std::memory_order_relaxed);
    queue_.append(w);
    word_.fetch_or(queued, std::memory_order_relaxed);
    granted = grant();
    must_wait = w.queued;
  }
  // Of those granted w is the last if it is among them, since it came last: the others are woken, w just goes on.
  while (granted != nullptr && granted != &w) {
    waiter& other = *granted;
    granted = other.next;
    wake_waiter(other);
  }
  if (!must_wait) return;
  count_contention(w.thread, cls);
  block_waiter(w);
}

void lock_core::wait_exclusive(thread_context& me, const lock_class& cls) noexcept {
  waiter w{me, true};
  wait_in_queue(w, false, cls);
}

void lock_core::wait_shared(thread_context& me, const lock_class& cls) noexcept {
  waiter w{me, false};
  wait_in_queue(w, true, cls);
}

// The lock is given back under queue_lock_, not before: once it is free another may take it, unlock it and destroy it.
void lock_core::hand_over_exclusive() noexcept {
  waiter* granted = nullptr;
  {
    const raw_spin_guard guard{queue_lock_};
    word_.fetch_sub(writer, std::memory_order_release);
    granted = grant();
  }
  wake_list(granted);
}

void lock_core::hand_over() noexcept {
  if (XIP_EXHIBIT(wakeup_lost)) return;
  waiter* granted = nullptr;
  {
    const raw_spin_guard guard{queue_lock_};
    granted = grant();
  }
  wake_list(granted);
}

unsigned lock_core::waiters() noexcept {
  const raw_spin_guard guard{queue_lock_};
  unsigned count = 0;
  for (const waiter* w = queue_.first(); w != nullptr; w = w->next) ++count;
  return count;
}

void lock_core::downgrade(const lock_class& cls) noexcept {
  thread_context& me = current();
  if (me.sched != nullptr) me.sched->on_lock(sched_event::release, cls, this, true);
  if constexpr (lockdep_compiled_in) {
    if (me.deps != nullptr) me.deps->downgrade(me, cls, this);
  }
  if ((word_.fetch_add(one_reader - writer, std::memory_order_release) & queued) != 0) hand_over();
  if (me.sched != nullptr) me.sched->on_lock(sched_event::acquired, cls, this, false);
}

void lock_core::lock_watched(thread_context& me, const lock_class& cls, lock_subclass subclass, bool exclusive) noexcept {
  if (me.sched != nullptr) me.sched->on_lock(sched_event::acquire, cls, this, exclusive);
  if constexpr (lockdep_compiled_in) {
    if (me.deps != nullptr) me.deps->acquire(me, cls, this, {.subclass = subclass, .exclusive = exclusive});
  }
  static_cast<void>(subclass);
  if (exclusive) {
    if (!take_exclusive()) wait_exclusive(me, cls);
  } else {
    if (!count_reader()) wait_shared(me, cls);
  }
  if (me.sched != nullptr) me.sched->on_lock(sched_event::acquired, cls, this, exclusive);
}

bool lock_core::try_lock_watched(thread_context& me, const lock_class& cls, lock_subclass subclass, bool exclusive) noexcept {
  if (me.sched != nullptr) me.sched->on_lock(sched_event::acquire, cls, this, exclusive);
  if (exclusive ? !take_exclusive() : !take_shared()) return false;
  if constexpr (lockdep_compiled_in) {
    if (me.deps != nullptr) me.deps->acquire(me, cls, this, {.subclass = subclass, .exclusive = exclusive, .is_try = true});
  }
  static_cast<void>(subclass);
  if (me.sched != nullptr) me.sched->on_lock(sched_event::acquired, cls, this, exclusive);
  return true;
}

bool lock_core::is_held(bool exclusive) const noexcept {
  const std::uint32_t seen = word_.load(std::memory_order_relaxed);
  return exclusive ? (seen & writer) != 0 : seen >= one_reader;
}

void lock_core::unlock_watched(thread_context& me, const lock_class& cls, bool exclusive) noexcept {
  if (me.sched != nullptr) me.sched->on_lock(sched_event::release, cls, this, exclusive);
  if constexpr (lockdep_compiled_in) {
    // An unlock of what nobody holds was reported; it must not spoil the word too.
    if (me.deps != nullptr && !me.deps->release(me, cls, this) && !is_held(exclusive)) return;
  }
  if (exclusive)
    give_back_exclusive();
  else
    give_back_shared();
}

}  // namespace xip
