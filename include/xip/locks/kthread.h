// The only way to make a thread. Linux: kthread_run.
#pragma once

#include <functional>
#include <memory_resource>

#include <xip/base/result.h>
#include <xip/locks/thread_context.h>

namespace xip {

// A running thread with a context of its own (scheduler, lockdep and point sink taken from the maker's). Joined by join() or the
// destructor.
class kthread {
 public:
  // ENOMEM, EAGAIN (the host has no more threads). NAME must outlive the thread.
  [[nodiscard]] static result<kthread> run(const char* name, std::pmr::memory_resource& memory, std::function<void()> body);
  kthread(kthread&&) noexcept;
  kthread& operator=(kthread&&) noexcept;
  ~kthread();

  void join() noexcept;

 private:
  struct state;
  explicit kthread(state* s) noexcept : state_{s} {}
  state* state_ = nullptr;
};

}  // namespace xip
