// What a running thread carries: its name, its scheduler, the locks it holds. `current` in Linux.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <xip/base/points.h>
#include <xip/locks/lock_class.h>

namespace xip {

class lockdep;
class sched_hook;

// One lock that is held. Filled only where lockdep is compiled in.
struct held_lock {
  const void* instance = nullptr;
  const lock_class* cls = nullptr;
  std::uint16_t class_id = 0;
  lock_subclass subclass = 0;
  bool exclusive = false;
  std::uint16_t stack = 0;  // lockdep's number of the stack that took it
};

inline constexpr std::size_t max_held_locks = 48;

struct thread_context {
  const char* name = "thread";
  std::uint32_t id = 0;
  sched_hook* sched = nullptr;   // null: the host's threads
  lockdep* deps = nullptr;       // null: unchecked
  point_sink* points = nullptr;  // null: nobody listens
  void* task = nullptr;          // vfs::task, for those above
  void* journal_info = nullptr;  // the handle this thread has open, as current->journal_info
  std::uint32_t held_count = 0;
  std::array<held_lock, max_held_locks> held{};
  // How often this thread had to wait for a mutex or rw_semaphore, ever; counted before it sleeps. Others watch it by times_contended.
  std::uint64_t contended = 0;
};

// How often the thread OF had to wait so far, for any thread to ask.
[[nodiscard]] inline std::uint64_t times_contended(thread_context& of) noexcept {
  return std::atomic_ref{of.contended}.load(std::memory_order_acquire);
}

// Null: this host thread has not been given one. Thread state in the sense of Linux's `current`; changed by current_scope and
// switch_current only.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local thread_context* current_context = nullptr;

// The context of a host thread that nobody made one for: without scheduler and lockdep.
[[nodiscard]] thread_context& fallback_context() noexcept;

// The context of the running thread. A thread that nobody made one for has a default one, without scheduler and lockdep.
[[nodiscard]] inline thread_context& current() noexcept {
  if (thread_context* context = current_context; context != nullptr) [[likely]]
    return *context;
  return fallback_context();
}

// For a scheduler that runs several threads on one host thread: from here on it is CONTEXT that runs.
inline void switch_current(thread_context& context) noexcept {
  current_context = &context;
  current_point_sink = context.points;
}

// Makes CONTEXT current until the end of the scope, then restores what was. Entered at every system call.
class current_scope {
 public:
  explicit current_scope(thread_context& context) noexcept : previous_{current_context}, previous_points_{current_point_sink} {
    switch_current(context);
  }
  ~current_scope() {
    current_context = previous_;
    current_point_sink = previous_points_;
  }
  current_scope(const current_scope&) = delete;
  current_scope& operator=(const current_scope&) = delete;

 private:
  thread_context* previous_;
  point_sink* previous_points_;
};

}  // namespace xip
