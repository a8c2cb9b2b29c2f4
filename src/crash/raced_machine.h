// raced_machine: the kernel instance in which tasks make their calls under an explorer, on a device whose stores are recorded. All of it goes back before each schedule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <xip/crash/file_system.h>
#include <xip/crash/history.h>
#include <xip/explore/resettable.h>
#include <xip/explore/scheduler.h>
#include <xip/explore/snapshot_arena.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "crash/calls.h"
#include "crash/image.h"
#include "crash/tree.h"

namespace xip::crash {

class raced_machine final : public explore::resettable {
 public:
  // CALLS outlive it. START: what the device has.
  raced_machine(const crashed_file_system& fs, std::span<const std::byte> start, bool windows, const std::vector<task_call>& calls,
                std::uint32_t tasks);
  ~raced_machine() = default;

  // In a program's setup. Throws.
  void boot(explore::scheduler& sched);
  // Makes the calls of TASK. Each is an operation of the history, with its number in CALLS.
  void run(std::uint32_t task);
  // When all tasks have ended. Throws.
  [[nodiscard]] tree live();

  [[nodiscard]] const history& done() const noexcept { return history_; }
  // Whether what is done is kept when all goes back.
  void keep(bool wanted) noexcept { keeping_ = wanted; }
  [[nodiscard]] const history& kept() const noexcept { return kept_; }
  [[nodiscard]] std::span<const int> answers() const noexcept { return answers_; }
  // At which step of the schedule call CALL began.
  [[nodiscard]] std::uint64_t step_of(std::uint32_t call) const noexcept { return steps_[call]; }

  [[nodiscard]] result<> save() override;
  void restore() noexcept override;
  void release() noexcept override;

 private:
  [[nodiscard]] vfs::kernel_options options_for(explore::scheduler& sched);
  [[nodiscard]] vfs::task& make_task(const char* name);

  const crashed_file_system& fs_;
  const std::vector<task_call>& calls_;
  const std::uint32_t tasks_;
  explore::scheduler* scheduler_ = nullptr;
  explore::snapshot_arena arena_;
  image disk_;
  image_device below_;
  history history_;
  history kept_;
  bool keeping_ = false;
  std::unique_ptr<dev::device> device_;  // below_, recorded
  vfs::kernel* kernel_ = nullptr;        // in the arena, as are these
  std::vector<vfs::task*> made_;         // by the tasks' numbers; the last one looks at what is there
  std::vector<int> answers_;
  std::vector<std::uint64_t> steps_;
};

}  // namespace xip::crash
