#include <xip/locks/lock_core.h>

namespace xip {

bool lock_core::take_or_announce(bool exclusive) noexcept {
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  for (;;) {
    const bool free = exclusive ? s == 0 : (s & (writer | waiters)) == 0;
    const std::uint32_t next = free ? s + (exclusive ? writer : reader) : s | waiters;
    if (state_.compare_exchange_weak(s, next, std::memory_order_acquire, std::memory_order_relaxed)) return free;
  }
}

void lock_core::wait_for(const lock_class& cls, bool exclusive) noexcept {
  guard_.lock();
  if (take_or_announce(exclusive)) {
    guard_.unlock();
    return;
  }
  waiter w{exclusive};
  queue_.push(w);
  guard_.unlock();
  ++current().contended;
  if constexpr (lockdep_compiled_in) lockdep_contended(cls);
  static_cast<void>(cls);
  block_on(w);
}

std::uint32_t lock_core::detach_readers(waiter_list& woken) noexcept {
  std::uint32_t count = 0;
  while (!queue_.empty() && !queue_.head()->exclusive) {
    woken.push(*queue_.pop());
    ++count;
  }
  return count;
}

void lock_core::grant_to_head() noexcept {
  waiter_list woken;
  std::uint32_t holders = writer;
  if (queue_.head()->exclusive)
    woken.push(*queue_.pop());
  else
    holders = detach_readers(woken) * reader;
  state_.store(holders | (queue_.empty() ? 0 : waiters), std::memory_order_release);
  guard_.unlock();
  wake_all(woken);
}

void lock_core::hand_over_from_writer() noexcept {
  guard_.lock();  // the waiters bit is set, so the queue is not empty
  grant_to_head();
}

// Between the last reader's decrement and here nobody can have entered: the waiters bit was set all the time.
void lock_core::hand_over_from_last_reader() noexcept {
  guard_.lock();
  grant_to_head();
}

void lock_core::downgrade(const lock_class& cls) noexcept {
  if constexpr (lockdep_compiled_in) lockdep_downgraded(cls, this);
  static_cast<void>(cls);
  guard_.lock();
  waiter_list woken;
  const std::uint32_t joining = detach_readers(woken);
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  std::uint32_t next = 0;
  do {
    next = (1 + joining) * reader | (queue_.empty() ? 0 : waiters);
  } while (!state_.compare_exchange_weak(s, next, std::memory_order_release, std::memory_order_relaxed));
  guard_.unlock();
  wake_all(woken);
}

}  // namespace xip
