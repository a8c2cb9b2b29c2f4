#include <xip/crash/lone_scheduler.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <xip/locks/waiter.h>

namespace xip::crash {
namespace {

[[noreturn]] void nobody_else(const char* what) noexcept {
  std::fprintf(stderr, "xip: a file system alone in its kernel %s: it would never go on\n", what);
  std::abort();
}

}  // namespace

void lone_scheduler::on_lock(sched_event, const lock_class&, const void*, bool) noexcept {}
void lone_scheduler::wake(waiter&) noexcept {}
void lone_scheduler::join(std::uint64_t) noexcept {}
bool lone_scheduler::block(waiter&, nanoseconds deadline) noexcept {
  if (deadline == nanoseconds::max()) nobody_else("waits for another thread");
  now_ = std::max(now_, deadline);
  return false;
}
std::uint64_t lone_scheduler::spawn(thread_context&, void (*)(void*), void*) noexcept { nobody_else("starts a thread"); }

}  // namespace xip::crash
