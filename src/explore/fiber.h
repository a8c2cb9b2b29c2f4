// fiber: a thread of control with a stack of its own. All fibers of an engine run on one host thread, one at a time.
#pragma once

#include <cstddef>
#include <optional>

#include <xip/locks/thread_context.h>

#include "explore/sanitizer_fiber.h"
#include "explore/stack.h"

namespace xip::explore {

class fiber {
 public:
  // What a fiber runs. It returns the fiber that goes on; its own then waits for the next job.
  using job = fiber& (*)(void* argument);

  fiber() noexcept;                         // the host thread's own stack: where the others are started from
  explicit fiber(std::size_t stack_bytes);  // throws std::bad_alloc
  ~fiber();                                 // it has no job, or was abandoned
  fiber(const fiber&) = delete;
  fiber& operator=(const fiber&) = delete;

  // The next switch to this fiber, which has no job now, runs BODY with CONTEXT as the current context.
  void prepare(job body, void* argument, thread_context& context) noexcept;
  // From the running fiber, which is this one, to TO. Returns when somebody switches back.
  void switch_to(fiber& to) noexcept { jump(to, false); }
  // Its job will never be finished: it starts anew with the next prepare(). Not the running fiber. May throw std::bad_alloc.
  void abandon();

 private:
  // What the C++ runtime and this tree keep for each thread of the host, and a fiber has for itself.
  struct thread_state {
    thread_context* context = nullptr;
    point_sink* points = nullptr;
    void* caught_exceptions = nullptr;
    unsigned int uncaught_exceptions = 0;
  };

  void start() noexcept;
  void stop() noexcept;
  void jump(fiber& to, bool last) noexcept;
  static void swap_thread_state(thread_state& from, const thread_state& to) noexcept;
  static void land(fiber& self, void* left_at, fiber& came_from) noexcept;
  friend struct fiber_entry;

  std::optional<stack> stack_;
  void* at_ = nullptr;  // where it goes on; while it does not run
  job body_ = nullptr;  // null: leave for ever
  void* argument_ = nullptr;
  fiber* to_ = nullptr;  // where it last went
  thread_state state_;
  sanitizer_fiber sanitizer_;
};

}  // namespace xip::explore
