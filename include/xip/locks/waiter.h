// waiter: where one thread sleeps until another wakes it. It lives on the sleeper's stack, and its waker touches it last when it wakes it.
#pragma once

#include <atomic>
#include <cstdint>

#include <xip/locks/sched_hook.h>
#include <xip/locks/thread_context.h>

namespace xip {

struct waiter {
  enum : std::uint32_t { awake, asleep, woken };

  explicit waiter(thread_context& me, bool takes_exclusive = false) noexcept : thread{me}, sched{me.sched}, exclusive{takes_exclusive} {}
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;

  waiter* next = nullptr;  // in the queue it waits in, under that queue's lock; then in its waker's own list
  thread_context& thread;  // who sleeps here
  sched_hook* sched;       // whose block() it sleeps in; null: the host's
  bool exclusive;          // waits for a lock, to hold it exclusive
  bool queued = false;     // under the queue's lock: nobody has taken it out to wake it

  // A hook keeps here what it likes; block_waiter and wake_waiter touch these only where there is no hook.
  std::atomic<std::uint32_t> state{awake};
  std::uint64_t hook_data = 0;
};

// Sleeps until wake_waiter(W), which may have happened already. False: DEADLINE on monotonic_now() passed first; W is still where it was.
bool block_waiter(waiter& w, nanoseconds deadline = nanoseconds::max()) noexcept;
// W may be gone when this returns.
void wake_waiter(waiter& w) noexcept;
// Wakes a list linked by next; FIRST may be null.
void wake_list(waiter* first) noexcept;

// First in, first out. The lock of its owner guards it.
class waiter_list {
 public:
  constexpr waiter_list() noexcept = default;

  [[nodiscard]] waiter* first() const noexcept { return first_; }
  void append(waiter& w) noexcept;
  // Everything up to LAST, which is in the list, as a list of its own.
  waiter* take_up_to(waiter& last) noexcept;
  waiter* take_all() noexcept;
  void remove(waiter& w) noexcept;

 private:
  waiter* first_ = nullptr;
  waiter* last_ = nullptr;
};

}  // namespace xip
