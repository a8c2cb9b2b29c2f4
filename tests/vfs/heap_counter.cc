// Counts every operator new of the test program.
#include "vfs/heap_counter.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace xip::vfs::test {

namespace {

constinit std::atomic<std::uint64_t> calls{0};

void* allocate(std::size_t bytes) {
  calls.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(bytes == 0 ? 1 : bytes)) return p;
  throw std::bad_alloc{};
}

void* allocate_aligned(std::size_t bytes, std::align_val_t alignment) {
  calls.fetch_add(1, std::memory_order_relaxed);
  const auto a = static_cast<std::size_t>(alignment);
  if (void* p = std::aligned_alloc(a, (bytes + a - 1) / a * a)) return p;
  throw std::bad_alloc{};
}

}  // namespace

std::uint64_t heap_allocations() noexcept { return calls.load(std::memory_order_relaxed); }

}  // namespace xip::vfs::test

void* operator new(std::size_t bytes) { return xip::vfs::test::allocate(bytes); }
void* operator new[](std::size_t bytes) { return xip::vfs::test::allocate(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment) { return xip::vfs::test::allocate_aligned(bytes, alignment); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) { return xip::vfs::test::allocate_aligned(bytes, alignment); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
