#include "explore/stack.h"

#include <new>

#include <sys/mman.h>

#include "explore/address_marks.h"

namespace xip::explore {
namespace {

constexpr std::size_t guard_bytes = 4096;

std::byte* map_stack(std::size_t bytes) {
  void* const space =
      ::mmap(nullptr, guard_bytes + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (space == MAP_FAILED) throw std::bad_alloc{};
  ::mprotect(space, guard_bytes, PROT_NONE);
  return static_cast<std::byte*>(space) + guard_bytes;
}

}  // namespace

stack::stack(std::size_t bytes) : bytes_{(bytes + guard_bytes - 1) & ~(guard_bytes - 1)}, bottom_{map_stack(bytes_)} {}

stack::~stack() {
  allow_access(bottom_, bytes_);
  ::munmap(bottom_ - guard_bytes, guard_bytes + bytes_);
}

void stack::abandon() {
  if constexpr (address_sanitizer) {
    keep_reachable(bottom_, bytes_);
    bottom_ = map_stack(bytes_);
  }
}

}  // namespace xip::explore
