#include <xip/scenario/explored_kernel.h>

#include <new>
#include <string>
#include <utility>

#include <xip/base/assert.h>
#include <xip/explore/failure.h>

namespace xip::scenario {

vfs::kernel& explored_kernel::boot(explore::scheduler& s) {
  XIP_ASSERT(kernel_ == nullptr);
  vfs::kernel_options o;
  o.memory = &arena_;
  o.log = [&s](vfs::log_level level, std::string_view text) {
    if (level == vfs::log_level::error) s.fail("error log: " + std::string{text});
  };
  o.lockdep_report = [&s](const lockdep_report& report) { s.fail(report.text); };
  o.sched = &s;
  o.points = &s;
  kernel_ = new (arena_.allocate(sizeof(vfs::kernel), alignof(vfs::kernel))) vfs::kernel{std::move(o)};
  return *kernel_;
}

vfs::task& explored_kernel::task(const char* name) {
  const auto made = kernel_->make_task({}, name);
  if (!made) throw explore::failure{std::string{"no task can be made: "} + std::string{made.error().message()}};
  tasks_.push_back(*made);
  return **made;
}

void explored_kernel::release() noexcept {
  for (vfs::task* t : tasks_) kernel_->exit_task(t);
  tasks_.clear();
  kernel_->~kernel();
  kernel_ = nullptr;
}

}  // namespace xip::scenario
