// The door of every system call: the task becomes current, memory that runs out is ENOMEM, and nothing is held at return.
#pragma once

#include <new>
#include <utility>

#include <xip/locks/lockdep.h>
#include <xip/vfs/task.h>

namespace xip::vfs {

class syscall_scope {
 public:
  explicit syscall_scope(task& t) noexcept : scope_{t.context}, task_{t} {}
  ~syscall_scope() {
    if constexpr (lockdep_compiled_in) task_.owner.deps().assert_none_held();
  }
  syscall_scope(const syscall_scope&) = delete;
  syscall_scope& operator=(const syscall_scope&) = delete;

 private:
  current_scope scope_;
  task& task_;
};

// BODY() within a system call of T; it returns a result.
template <class Body>
[[nodiscard]] auto system_call(task& t, Body&& body) -> decltype(body()) {
  const syscall_scope scope{t};
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

}  // namespace xip::vfs
