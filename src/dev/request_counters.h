// What device_stats reports, counted by any number of tasks at once.
#pragma once

#include <atomic>
#include <cstdint>

#include <xip/dev/device.h>

namespace xip::dev {

class request_counters {
 public:
  void count_batch(std::uint64_t pieces) noexcept {
    count_submission();
    count_pieces(pieces);
  }
  void count_submission() noexcept { batches_.fetch_add(1, std::memory_order_relaxed); }
  void count_pieces(std::uint64_t pieces) noexcept { pieces_.fetch_add(pieces, std::memory_order_relaxed); }
  void count_flush() noexcept { flushes_.fetch_add(1, std::memory_order_relaxed); }

  [[nodiscard]] device_stats read() const noexcept {
    return {batches_.load(std::memory_order_relaxed), pieces_.load(std::memory_order_relaxed), flushes_.load(std::memory_order_relaxed)};
  }

 private:
  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> pieces_{0};
  std::atomic<std::uint64_t> flushes_{0};
};

}  // namespace xip::dev
