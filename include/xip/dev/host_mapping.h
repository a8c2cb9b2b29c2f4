// Where a file of the host has the memory behind a device's windows, for those who map it a second time.
#pragma once

#include <cstddef>
#include <cstdint>

#include <xip/dev/device.h>

namespace xip::dev {

// Descriptor and offset for mmap, shared. The descriptor stays open as long as the device lives.
struct host_file {
  int fd = -1;
  std::uint64_t offset = 0;
  bool synchronous = false;  // what is stored and flushed there is durable: to be mapped with MAP_SYNC where the host can
};

// A device whose windows lie in a file of the host: what is stored through a second mapping is in the window at once.
class host_mappable {
 public:
  [[nodiscard]] virtual host_file file_at(std::uint64_t offset) const noexcept = 0;

 protected:
  ~host_mappable() = default;
};

// Of BYTES bytes at OFFSET. ENODEV: no such device, or it is gone; also a decorator, which has to see each store. ERANGE: outside of it.
[[nodiscard]] result<host_file> host_mapping(const device& d, std::uint64_t offset, std::size_t bytes) noexcept;

}  // namespace xip::dev
