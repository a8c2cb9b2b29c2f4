// Sleeping on the host: a futex a sleeper.
#include <xip/locks/waiter.h>

#include <cerrno>
#include <ctime>

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xip/locks/lockdep_hooks.h>
#include <xip/locks/seqcount.h>
#include <xip/locks/spin_lock.h>

namespace xip {
namespace {

// False: the deadline passed.
bool futex_wait(std::atomic<std::uint32_t>& word, nanoseconds deadline) noexcept {
  timespec until{};
  const bool bounded = deadline != nanoseconds::max();
  if (bounded) {
    until.tv_sec = deadline.count() / 1'000'000'000;
    until.tv_nsec = deadline.count() % 1'000'000'000;
  }
  const long answer = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, bounded ? &until : nullptr, nullptr, FUTEX_BITSET_MATCH_ANY);
  return answer == 0 || errno != ETIMEDOUT;
}

void relax_or_yield(unsigned turn) noexcept {
  if (sched_hook* sched = current().sched; sched != nullptr) {
    static constexpr lock_class spinning{"spin", lock_kind::spinning};
    sched->on_lock(sched_event::yield, spinning, nullptr, true);
  } else if (turn < 64) {
    __builtin_ia32_pause();
  } else {
    ::sched_yield();
  }
}

}  // namespace

bool waiter_list::remove(waiter& w) noexcept {
  waiter* before = nullptr;
  for (waiter* at = head_; at != nullptr; before = at, at = at->next) {
    if (at != &w) continue;
    (before == nullptr ? head_ : before->next) = w.next;
    if (tail_ == &w) tail_ = before;
    return true;
  }
  return false;
}

bool block_on(waiter& w, nanoseconds deadline) noexcept {
  if constexpr (lockdep_compiled_in) lockdep_might_sleep();
  if (sched_hook* sched = current().sched; sched != nullptr) return sched->block(w, deadline);
  while (w.woken.load(std::memory_order_acquire) == 0)
    if (!futex_wait(w.woken, deadline)) return w.woken.load(std::memory_order_acquire) != 0;
  return true;
}

void wake(waiter& w) noexcept {
  if (sched_hook* sched = w.owner->sched; sched != nullptr) return sched->wake(w);
  std::atomic<std::uint32_t>* word = &w.woken;
  word->store(1, std::memory_order_release);
  // The sleeper may be gone by now; then the call finds nobody, or wakes someone for nothing, who looks again.
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void wake_all(waiter_list& woken) noexcept {
  while (waiter* w = woken.pop()) wake(*w);
}

void tiny_guard::relax() noexcept { relax_or_yield(64); }
void seqcount::relax() noexcept { relax_or_yield(64); }

void spin_core::spin() noexcept {
  for (unsigned turn = 0; held_.exchange(true, std::memory_order_acquire); ++turn) relax_or_yield(turn);
}

}  // namespace xip
