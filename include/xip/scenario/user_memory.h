// User memory with an end: bytes from a point on fault, as an unmapped page does. For EFAULT and partial copies.
#pragma once

#include <cstddef>

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

}  // namespace xip::scenario
