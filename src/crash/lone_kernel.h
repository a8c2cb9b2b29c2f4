// lone_kernel: a kernel instance with one thread and no clock but its own, so that what it does depends on the device alone.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>

#include <xip/base/points.h>
#include <xip/crash/lone_scheduler.h>
#include <xip/dev/device.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

namespace xip::crash {

// The named points that were passed last, but for those of devices, which are where one waits.
struct passed_points {
  point last = point::count, before = point::count;  // another one than the last; count: none
  std::uint64_t count = 0;                           // of all that were passed
};

// What listens in one kernel: it plants bugs (in builds that have any), and knows the named points that were passed last.
class kernel_listener final : public point_sink {
 public:
  kernel_listener(exhibit_set places, const void* instead) noexcept {
#if XIP_EXHIBITS
    exhibits = places;
    stand_in = instead;
#else
    static_cast<void>(places), static_cast<void>(instead);
#endif
  }
  void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {
    if (p == point::dev_flush || p == point::dev_fence) return;
    if (p != passed_.last) passed_.before = passed_.last;
    passed_.last = p;
    ++passed_.count;
  }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
  // Since forget(), which a call begins with.
  [[nodiscard]] const passed_points& passed() const noexcept { return passed_; }
  void forget() noexcept { passed_ = {.count = passed_.count + 1}; }

 private:
  passed_points passed_;
};

class lone_kernel {
 public:
  // Memory for one instance after the other.
  class arena {
   public:
    arena();
    [[nodiscard]] std::pmr::memory_resource& fresh() {
      resource_.release();
      return resource_;
    }

   private:
    std::unique_ptr<std::byte[]> first_;
    std::pmr::monotonic_buffer_resource resource_;
  };

  // Its time begins EARLIER than that of others, which all have the same.
  lone_kernel(arena& memory, point_sink* points = nullptr, nanoseconds earlier = {});
  // What is still mounted is unmounted.
  ~lone_kernel();
  lone_kernel(const lone_kernel&) = delete;
  lone_kernel& operator=(const lone_kernel&) = delete;

  // Not empty: why not.
  [[nodiscard]] std::string mount(const vfs::file_system_type& type, dev::device& device, std::string_view options);
  [[nodiscard]] std::string umount();
  // Only while mounted.
  [[nodiscard]] vfs::task& task() noexcept { return *task_; }
  // The first error of the log, or the first report of lockdep; empty: none.
  [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }

 private:
  lone_scheduler scheduler_;
  std::string complaint_;
  vfs::kernel kernel_;
  vfs::task* task_ = nullptr;
  bool known_ = false;
};

}  // namespace xip::crash
