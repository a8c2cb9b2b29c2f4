// An image that is mapped may lose its bytes under us: somebody cuts the file, or the host cannot read its disk. The host says so by SIGBUS at the next
// access. The page then becomes one of zeros of our own, the device is dead from there on, and the request at hand fails with EIO.
#pragma once

#include <xip/dev/device.h>

namespace xip::fuse {

// From now on, until the destructor, for the windows of DEVICE; one at a time in a process.
class lost_memory_guard {
 public:
  explicit lost_memory_guard(dev::device& device) noexcept;
  ~lost_memory_guard();
  lost_memory_guard(const lost_memory_guard&) = delete;
  lost_memory_guard& operator=(const lost_memory_guard&) = delete;
};

// Whether this thread has met lost memory since it was last asked, or the device is dead: then what was read may be zeros that never were the file's.
[[nodiscard]] bool met_lost_memory() noexcept;

}  // namespace xip::fuse
