// raw_spin: guards the insides of this room for a few instructions. Unseen by lockdep and by a scheduler: nothing that either could see
// happens while it is held, so under a scheduler that runs one thread at a time it is always free.
#pragma once

#include <atomic>
#include <cstdint>

#include <xip/base/annotations.h>

namespace xip {

// One turn of waiting on the host: spins at first, lets other threads run later. TURN counts from zero.
void spin_turn(unsigned turn) noexcept;

class XIP_CAPABILITY("raw_spin") raw_spin {
 public:
  constexpr raw_spin() noexcept = default;
  raw_spin(const raw_spin&) = delete;
  raw_spin& operator=(const raw_spin&) = delete;

  void lock() noexcept XIP_ACQUIRE() {
    if (held_.exchange(1, std::memory_order_acquire) != 0) [[unlikely]]
      wait_and_take();
  }
  void unlock() noexcept XIP_RELEASE() { held_.store(0, std::memory_order_release); }

 private:
  void wait_and_take() noexcept;
  std::atomic<std::uint32_t> held_{0};
};

class XIP_SCOPED_CAPABILITY raw_spin_guard {
 public:
  explicit raw_spin_guard(raw_spin& s) noexcept XIP_ACQUIRE(s) : spin_{s} { s.lock(); }
  ~raw_spin_guard() XIP_RELEASE() { spin_.unlock(); }
  raw_spin_guard(const raw_spin_guard&) = delete;
  raw_spin_guard& operator=(const raw_spin_guard&) = delete;

 private:
  raw_spin& spin_;
};

}  // namespace xip
