// Memory of the host for a whole device, which exists where it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include <sys/mman.h>

namespace xip::explore {

// SIZE bytes, zeroed; given back by munmap. bad_alloc.
[[nodiscard]] inline std::byte* map_zeroed(std::uint64_t size) {
  void* const space = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) throw std::bad_alloc{};
  return static_cast<std::byte*>(space);
}

}  // namespace xip::explore
