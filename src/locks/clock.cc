#include <xip/locks/clock.h>

#include <ctime>

#include <xip/locks/thread_context.h>

namespace xip {
namespace {

nanoseconds read_host_clock(clockid_t which) noexcept {
  timespec now{};
  ::clock_gettime(which, &now);
  return nanoseconds{std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec};
}

}  // namespace

nanoseconds monotonic_now() noexcept {
  if (sched_hook* sched = current().sched; sched != nullptr) return sched->monotonic_now();
  return read_host_clock(CLOCK_MONOTONIC);
}

nanoseconds realtime_now_coarse() noexcept {
  if (sched_hook* sched = current().sched; sched != nullptr) return sched->realtime_now();
  return read_host_clock(CLOCK_REALTIME_COARSE);
}

}  // namespace xip
