// The door for a scheduler: every place where a thread can block, wake another, start one, or read a clock.
// The default (a null hook in thread_context) is the host: futex, pthreads, clock_gettime.
#pragma once

#include <chrono>
#include <cstdint>

#include <xip/locks/lock_class.h>

namespace xip {

struct thread_context;

// Nanoseconds since the epoch (realtime) or since some start (monotonic).
using nanoseconds = std::chrono::nanoseconds;

// Where one thread sleeps until another wakes it. Lives on the sleeper's stack. <xip/locks/waiter.h>
struct waiter;

enum class sched_event : std::uint8_t {
  acquire,   // a lock, a try-lock too; may have to wait
  acquired,  // has it
  release,   // gives it back next
  wait,      // goes to sleep in a wait_queue or completion next
  wake,      // wakes sleepers of one next
  yield,     // cannot go on until another thread has run: somebody holds the spin_lock, writes under the seqcount, or is to
             // bring about what a wait_for waits for
};

class sched_hook {
 public:
  // Called before a lock operation takes effect: the scheduler may run other threads first.
  virtual void on_lock(sched_event event, const lock_class& cls, const void* instance, bool exclusive) noexcept = 0;
  // Sleep until wake(w) was called (it may have been already), or until DEADLINE on the hook's monotonic clock.
  // False: the deadline passed first. nanoseconds::max() means no deadline.
  virtual bool block(waiter& w, nanoseconds deadline) noexcept = 0;
  // Once for each waiter, from any thread, before or after its block(); W is gone when block() has returned, so touch it last here.
  virtual void wake(waiter& w) noexcept = 0;
  // Start BODY(ARGUMENT) as a thread of this scheduler; join waits for its end. BODY makes CONTEXT current itself; a scheduler that
  // runs several on one host thread sets it again with switch_current at each switch, and sets CONTEXT's id.
  virtual std::uint64_t spawn(thread_context& context, void (*body)(void*), void* argument) noexcept = 0;
  virtual void join(std::uint64_t thread) noexcept = 0;
  virtual nanoseconds monotonic_now() noexcept = 0;
  virtual nanoseconds realtime_now() noexcept = 0;

 protected:
  ~sched_hook() = default;
};

}  // namespace xip
