#include "crash/raced_machine.h"

#include <array>
#include <cstring>
#include <new>

#include <fmt/format.h>

#include <xip/base/points.h>
#include <xip/dev/devices.h>
#include <xip/explore/failure.h>

#include "crash/follow.h"
#include "crash/play.h"

namespace xip::crash {
namespace {

constexpr std::array<const char*, most_tasks> task_names{"task 1", "task 2"};

}  // namespace

raced_machine::raced_machine(const crashed_file_system& fs, std::span<const std::byte> start, bool windows,
                             const std::vector<task_call>& calls, std::uint32_t tasks)
    : fs_{fs},
      calls_{calls},
      tasks_{tasks},
      disk_{start.size()},
      below_{disk_, windows, nullptr},
      history_{[this] { return scheduler_->running_task(); }},
      device_{dev::make_recording(below_, history_)},
      answers_(calls.size()),
      steps_(calls.size()) {
  std::memcpy(disk_.data(), start.data(), start.size());
}

vfs::kernel_options raced_machine::options_for(explore::scheduler& sched) {
  vfs::kernel_options o;
  o.memory = &arena_;
  o.log = [&sched](vfs::log_level level, std::string_view text) {
    if (level == vfs::log_level::error) sched.fail(fmt::format("the log says: {}", text));
  };
  o.lockdep_report = [&sched](const lockdep_report& report) { sched.fail(report.text); };
  o.sched = &sched;
  o.points = &sched;
  return o;
}

vfs::task& raced_machine::make_task(const char* name) {
  const auto made = kernel_->make_task({}, name);
  if (!made) throw explore::failure{"no task can be made"};
  return **made;
}

// A mount writes nothing until the first change; else its stores would be on their way for ever, or be lost when the device goes back.
void raced_machine::boot(explore::scheduler& sched) {
  scheduler_ = &sched;
  kernel_ = new (arena_.allocate(sizeof(vfs::kernel), alignof(vfs::kernel))) vfs::kernel{options_for(sched)};
  if (!kernel_->register_filesystem(fs_.type)) throw explore::failure{"the file system cannot be registered"};
  if (const auto there = kernel_->mount(fs_.type.name, *device_, "/", fs_.mount_options); !there)
    throw explore::failure{fmt::format("the mount failed: {}", there.error().message)};
  made_.clear();
  for (std::uint32_t i = 0; i < tasks_; ++i) made_.push_back(&make_task(task_names[i]));
  made_.push_back(&make_task("afterwards"));
  if (!history_.events().empty()) throw explore::failure{"the mount wrote to the device"};
#if XIP_EXHIBITS
  sched.exhibits = fs_.exhibits;
  sched.stand_in = fs_.stand_in;
#endif
}

// Between two calls the other task may make all of its own.
void raced_machine::run(std::uint32_t task) {
  player p;
  for (std::uint32_t i = 0; i < calls_.size(); ++i) {
    const task_call& c = calls_[i];
    if (c.what.task != task) continue;
    XIP_POINT(user_point, i);
    steps_[i] = scheduler_->step();
    history_.begin_operation(i, c.text);
    answers_[i] = p.play(*made_[task], c.what, c.of % setup_number);
    history_.end_operation(i, answers_[i] == 0 && c.what.what == verb::sync);
  }
}

tree raced_machine::live() { return tree_or_throw(*made_.back()); }

result<> raced_machine::save() {
  XIP_TRY(history_.save());
  return arena_.save();
}

void raced_machine::restore() noexcept {
  arena_.restore();
  disk_.undo();
  if (keeping_ && !history_.events().empty()) kept_ = history_;
  history_.restore();
}

// Files that a workload leaves open are closed with their tasks.
void raced_machine::release() noexcept {
  for (vfs::task* t : made_) kernel_->exit_task(t);
  made_.clear();
  static_cast<void>(kernel_->umount("/"));
  kernel_->~kernel();
  kernel_ = nullptr;
}

}  // namespace xip::crash
