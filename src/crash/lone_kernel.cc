#include "crash/lone_kernel.h"

#include <fmt/format.h>

namespace xip::crash {
namespace {

[[nodiscard]] vfs::kernel_options options_of(std::pmr::memory_resource& memory, lone_scheduler& sched, std::string& complaint,
                                             point_sink* points) {
  vfs::kernel_options o;
  o.memory = &memory;
  o.log = [&complaint](vfs::log_level level, std::string_view text) {
    if (level == vfs::log_level::error && complaint.empty()) complaint = fmt::format("the log says: {}", text);
  };
  o.lockdep_report = [&complaint](const lockdep_report& report) {
    if (complaint.empty()) complaint = report.text;
  };
  o.sched = &sched;
  o.points = points;
  return o;
}

constexpr std::size_t first_bytes = std::size_t{4} << 20;

}  // namespace

lone_kernel::arena::arena() : first_{std::make_unique_for_overwrite<std::byte[]>(first_bytes)}, resource_{first_.get(), first_bytes} {}

lone_kernel::lone_kernel(arena& memory, point_sink* points, nanoseconds earlier)
    : scheduler_{earlier}, kernel_{options_of(memory.fresh(), scheduler_, complaint_, points)} {}

lone_kernel::~lone_kernel() {
  if (task_ != nullptr) kernel_.exit_task(task_);
}

std::string lone_kernel::mount(const vfs::file_system_type& type, dev::device& device, std::string_view options) {
  if (!known_ && !kernel_.register_filesystem(type)) return "the file system cannot be registered";
  known_ = true;
  if (const auto there = kernel_.mount(type.name, device, "/", options); !there) return there.error().message;
  const auto made = kernel_.make_task({}, "crash");
  if (!made) return "no task can be made";
  task_ = *made;
  return {};
}

std::string lone_kernel::umount() {
  kernel_.exit_task(task_);
  task_ = nullptr;
  const auto gone = kernel_.umount("/");
  return gone ? "" : fmt::format("umount says {}", gone.error().name());
}

}  // namespace xip::crash
