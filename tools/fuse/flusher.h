// Writes an image back every now and then, so that little is lost when the host fails.
#pragma once

#include <xip/base/annotations.h>
#include <xip/locks/kthread.h>
#include <xip/locks/mutex.h>
#include <xip/locks/wait_queue.h>
#include <xip/vfs/kernel.h>

#include "fuse/report.h"

namespace xip::fuse {

inline constexpr lock_class flusher_class{"flusher"};

class flusher {
 public:
  // Every INTERVAL. What fails is said once, and again when it has worked in between.
  flusher(vfs::kernel& kernel, nanoseconds interval, reporter& messages) : kernel_{kernel}, interval_{interval}, messages_{messages} {}
  ~flusher() { stop(); }
  flusher(const flusher&) = delete;
  flusher& operator=(const flusher&) = delete;

  [[nodiscard]] result<> start();
  void stop() noexcept XIP_EXCLUDES(lock_);

 private:
  void run() noexcept XIP_EXCLUDES(lock_);
  // False: to stop.
  [[nodiscard]] bool wait() noexcept XIP_EXCLUDES(lock_);

  vfs::kernel& kernel_;
  const nanoseconds interval_;
  reporter& messages_;
  mutex<flusher_class> lock_;
  wait_queue changed_;
  bool stopping_ XIP_GUARDED_BY(lock_) = false;
  std::vector<kthread> thread_;  // one at most
};

}  // namespace xip::fuse
