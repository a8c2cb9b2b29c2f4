// To be preloaded: on every thread but the first, each request for memory whose number is a multiple of XIP_FAIL_EVERY finds none.
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include <unistd.h>

// The host's own, by the names that they have beside those that are replaced here.
extern "C" {
void* host_malloc(std::size_t bytes) asm("__libc_malloc");
void* host_calloc(std::size_t count, std::size_t bytes) asm("__libc_calloc");
void* host_realloc(void* old, std::size_t bytes) asm("__libc_realloc");
void* host_memalign(std::size_t alignment, std::size_t bytes) asm("__libc_memalign");
}

namespace {

std::atomic<unsigned long> every{0};  // 0: none fails
std::atomic<unsigned long> asked{0};

[[gnu::constructor]] void begin() {
  if (const char* number = std::getenv("XIP_FAIL_EVERY"); number != nullptr) every.store(std::strtoul(number, nullptr, 10));
}

[[nodiscard]] bool fails() noexcept {
  const unsigned long n = every.load(std::memory_order_relaxed);
  if (n == 0 || ::gettid() == ::getpid()) return false;
  if ((asked.fetch_add(1, std::memory_order_relaxed) + 1) % n != 0) return false;
  errno = ENOMEM;
  return true;
}

}  // namespace

extern "C" {
void* malloc(std::size_t bytes) { return fails() ? nullptr : host_malloc(bytes); }
void* calloc(std::size_t count, std::size_t bytes) { return fails() ? nullptr : host_calloc(count, bytes); }
void* realloc(void* old, std::size_t bytes) { return fails() ? nullptr : host_realloc(old, bytes); }
void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return fails() ? nullptr : host_memalign(alignment, bytes); }
int posix_memalign(void** to, std::size_t alignment, std::size_t bytes) {
  void* const found = fails() ? nullptr : host_memalign(alignment, bytes);
  if (found == nullptr) return ENOMEM;
  *to = found;
  return 0;
}
}
