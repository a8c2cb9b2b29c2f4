// Spares the requests after a mount what the first touch of a page of the image costs.
#pragma once

#include <atomic>
#include <vector>

#include <xip/dev/device.h>
#include <xip/locks/kthread.h>

namespace xip::fuse {

// Once, beside the requests, which need not wait for it.
class warmer {
 public:
  explicit warmer(dev::device& device) noexcept : device_{device} {}
  ~warmer() {
    enough_.store(true, std::memory_order_relaxed);
    thread_.clear();
  }
  warmer(const warmer&) = delete;
  warmer& operator=(const warmer&) = delete;

  [[nodiscard]] result<> start() {
    thread_.push_back(XIP_TRY(kthread::run("warmer", *std::pmr::get_default_resource(), [this] { device_.warm(enough_); })));
    return {};
  }

 private:
  dev::device& device_;
  std::atomic<bool> enough_{false};
  std::vector<kthread> thread_;  // one at most
};

}  // namespace xip::fuse
