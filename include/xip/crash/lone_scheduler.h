// lone_scheduler: one thread, and no clock but its own. What a kernel instance does on it depends on the device and on its calls alone, as a program has to that
// is crashed: with the host's clock, a tick decides whether a write changes a time.
#pragma once

#include <cstdint>

#include <xip/locks/sched_hook.h>

namespace xip::crash {

// For kernel_options::sched. Nobody but the caller runs: who waits for another, or starts a thread, aborts the process, and a journal gets no timer unless the
// mount asks for one. Time begins EARLIER than 2024-01-01, and goes on by a microsecond each time somebody looks.
class lone_scheduler final : public sched_hook {
 public:
  explicit lone_scheduler(nanoseconds earlier = {}) noexcept : now_{epoch - earlier} {}
  void on_lock(sched_event event, const lock_class& cls, const void* instance, bool exclusive) noexcept override;
  bool block(waiter& w, nanoseconds deadline) noexcept override;
  void wake(waiter& w) noexcept override;
  std::uint64_t spawn(thread_context& context, void (*body)(void*), void* argument) noexcept override;
  void join(std::uint64_t thread) noexcept override;
  nanoseconds monotonic_now() noexcept override { return now_ += nanoseconds{1000}; }
  nanoseconds realtime_now() noexcept override { return now_ += nanoseconds{1000}; }

 private:
  static constexpr nanoseconds epoch{std::int64_t{1'704'067'200} * 1'000'000'000};  // 2024-01-01
  nanoseconds now_;
};

}  // namespace xip::crash
