#include "explore/address_marks.h"

#if XIP_EXPLORE_ASAN

#include <cstdint>

#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>

// Declared in no header of g++ 12: how an address becomes the address of its mark.
extern "C" void __asan_get_shadow_mapping(std::size_t* scale, std::size_t* offset);

namespace xip::explore {
namespace {

struct mark_range {
  unsigned char* first;
  std::size_t count;
};

mark_range marks_of(const void* memory, std::size_t bytes) noexcept {
  std::size_t scale = 0, offset = 0;
  __asan_get_shadow_mapping(&scale, &offset);
  return {reinterpret_cast<unsigned char*>((reinterpret_cast<std::uintptr_t>(memory) >> scale) + offset), bytes >> scale};
}

}  // namespace

void allow_access(const void* memory, std::size_t bytes) noexcept { __asan_unpoison_memory_region(memory, bytes); }
void forbid_access(const void* memory, std::size_t bytes) noexcept { __asan_poison_memory_region(memory, bytes); }

// Marks have no marks of their own: these two loops are not instrumented, and volatile keeps them from becoming a memcpy, which would be.
__attribute__((no_sanitize("address"))) void copy_marks(const void* memory, std::size_t bytes, std::vector<unsigned char>& to) {
  const auto [first, count] = marks_of(memory, bytes);
  to.resize(count);
  unsigned char* const copy = to.data();
  const volatile unsigned char* const from = first;
  for (std::size_t i = 0; i < count; ++i) copy[i] = from[i];
}

__attribute__((no_sanitize("address"))) void put_marks(const void* memory, const std::vector<unsigned char>& from) noexcept {
  volatile unsigned char* const to = marks_of(memory, 0).first;
  const unsigned char* const copy = from.data();
  const std::size_t count = from.size();
  for (std::size_t i = 0; i < count; ++i) to[i] = copy[i];
}

void keep_reachable(const void* memory, std::size_t bytes) noexcept { __lsan_register_root_region(memory, bytes); }

}  // namespace xip::explore

#endif
