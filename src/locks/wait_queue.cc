#include <xip/locks/wait_queue.h>

#include <utility>

namespace xip {

void wait_queue::enqueue(waiter& w) noexcept {
  guard_.lock();
  queue_.push(w);
  guard_.unlock();
}

bool wait_queue::sleep(waiter& w, nanoseconds deadline) noexcept {
  if (block_on(w, deadline)) return true;
  guard_.lock();
  const bool still_queued = queue_.remove(w);
  guard_.unlock();
  if (!still_queued) block_on(w);  // a waker has it already: its wake-up is on the way
  return !still_queued;
}

void wait_queue::wake_one() noexcept {
  guard_.lock();
  waiter* w = queue_.pop();
  guard_.unlock();
  if (w != nullptr) wake(*w);
}

void wait_queue::wake_all() noexcept {
  guard_.lock();
  waiter_list woken = std::exchange(queue_, {});
  guard_.unlock();
  xip::wake_all(woken);
}

bool wait_queue::has_waiters() const noexcept {
  guard_.lock();
  const bool any = !queue_.empty();
  guard_.unlock();
  return any;
}

void completion::complete_all() noexcept {
  guard_.lock();
  done_.store(true, std::memory_order_release);
  waiter_list woken = std::exchange(queue_, {});
  guard_.unlock();
  wake_all(woken);
}

void completion::wait() noexcept {
  waiter w;
  guard_.lock();
  const bool already = done();
  if (!already) queue_.push(w);
  guard_.unlock();
  if (!already) block_on(w);
}

}  // namespace xip
