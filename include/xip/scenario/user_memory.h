// User memory that is not plain: with an end, where bytes from a point on fault as an unmapped page does (EFAULT, partial copies), or with a
// place at which a copy stops to call back, in the middle of a read or write and under its locks.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

#include <xip/vfs/task.h>
#include <xip/vfs/user_access.h>

namespace xip::scenario {

// While it lives, calls of TASK can touch user memory below END only.
class user_memory_ends {
 public:
  user_memory_ends(vfs::task& task, const void* end) noexcept;
  ~user_memory_ends();
  user_memory_ends(const user_memory_ends&) = delete;
  user_memory_ends& operator=(const user_memory_ends&) = delete;

 private:
  vfs::task& task_;
  const vfs::user_access* before_;
  const std::byte* end_;
  vfs::user_access access_;
};

// While it lives, the first copy by TASK that comes to user address AT calls REACHED there, once: bytes below AT have moved, those from AT on
// have not. REACHED may wait for others, but not for what needs the locks that a copy holds.
class user_memory_calls {
 public:
  user_memory_calls(vfs::task& task, const void* at, std::function<void()> reached);
  ~user_memory_calls();
  user_memory_calls(const user_memory_calls&) = delete;
  user_memory_calls& operator=(const user_memory_calls&) = delete;

  // For the functions behind user_access.
  void copy(std::byte* user, std::size_t bytes, vfs::move_piece move, void* argument);

 private:
  vfs::task& task_;
  const vfs::user_access* before_;
  const std::byte* at_;
  std::function<void()> reached_;
  std::atomic<bool> called_{false};
  vfs::user_access access_;
};

}  // namespace xip::scenario
