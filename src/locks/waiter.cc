// Sleeping and waking: the scheduler's way where there is one, else the host's futex. Nothing else in this tree blocks.
#include <xip/locks/waiter.h>

#include <cerrno>
#include <ctime>

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xip/locks/raw_spin.h>

namespace xip {
namespace {

// Short waits are common (a mutex is handed over within microseconds); a futex costs more than they do.
constexpr unsigned turns_before_sleep = 64;
constexpr unsigned turns_before_yield = 64;

void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

timespec timespec_of(nanoseconds at) noexcept {
  const auto count = at.count() < 0 ? 0 : at.count();
  return {.tv_sec = static_cast<time_t>(count / 1'000'000'000), .tv_nsec = static_cast<long>(count % 1'000'000'000)};
}

// Returns when woken, at DEADLINE (false), or for no reason.
bool futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, nanoseconds deadline) noexcept {
  const timespec at = timespec_of(deadline);
  const timespec* limit = deadline == nanoseconds::max() ? nullptr : &at;
  const long answer = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, limit, nullptr, FUTEX_BITSET_MATCH_ANY);
  return answer == 0 || errno != ETIMEDOUT;
}

bool block_on_host(waiter& w, nanoseconds deadline) noexcept {
  for (unsigned turn = 0; turn < turns_before_sleep; ++turn) {
    if (w.state.load(std::memory_order_acquire) == waiter::woken) return true;
    cpu_relax();
  }
  std::uint32_t awake = waiter::awake;
  w.state.compare_exchange_strong(awake, waiter::asleep, std::memory_order_acquire);
  while (w.state.load(std::memory_order_acquire) != waiter::woken)
    if (!futex_wait(w.state, waiter::asleep, deadline)) return w.state.load(std::memory_order_acquire) == waiter::woken;
  return true;
}

// Once the state says woken, the sleeper may return and its stack be used again: the kernel then wakes nobody, or somebody who looks again.
void wake_on_host(waiter& w) noexcept {
  std::atomic<std::uint32_t>* const word = &w.state;
  if (word->exchange(waiter::woken, std::memory_order_acq_rel) == waiter::asleep)
    ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace

void spin_turn(unsigned turn) noexcept {
  if (turn < turns_before_yield)
    cpu_relax();
  else
    ::sched_yield();
}

void raw_spin::wait_and_take() noexcept {
  unsigned turn = 0;
  do {
    while (held_.load(std::memory_order_relaxed) != 0) spin_turn(turn++);
  } while (held_.exchange(1, std::memory_order_acquire) != 0);
}

bool block_waiter(waiter& w, nanoseconds deadline) noexcept {
  return w.sched != nullptr ? w.sched->block(w, deadline) : block_on_host(w, deadline);
}

void wake_waiter(waiter& w) noexcept {
  if (w.sched != nullptr)
    w.sched->wake(w);
  else
    wake_on_host(w);
}

void wake_list(waiter* first) noexcept {
  while (first != nullptr) {
    waiter& w = *first;
    first = w.next;
    wake_waiter(w);
  }
}

void waiter_list::append(waiter& w) noexcept {
  w.next = nullptr;
  w.queued = true;
  (last_ == nullptr ? first_ : last_->next) = &w;
  last_ = &w;
}

waiter* waiter_list::take_up_to(waiter& last) noexcept {
  waiter* const taken = first_;
  first_ = last.next;
  if (first_ == nullptr) last_ = nullptr;
  last.next = nullptr;
  for (waiter* w = taken; w != nullptr; w = w->next) w->queued = false;
  return taken;
}

waiter* waiter_list::take_all() noexcept { return first_ == nullptr ? nullptr : take_up_to(*last_); }

void waiter_list::remove(waiter& w) noexcept {
  waiter* before = nullptr;
  for (waiter* at = first_; at != &w; at = at->next) before = at;
  (before == nullptr ? first_ : before->next) = w.next;
  if (last_ == &w) last_ = before;
  w.next = nullptr;
  w.queued = false;
}

}  // namespace xip
