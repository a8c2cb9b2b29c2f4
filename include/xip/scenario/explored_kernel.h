// explored_kernel: a kernel instance for a program to explore.
//
//   explored_kernel machine;
//   vfs::task* writer = nullptr;
//   explore::program p{.name = "mine", .state = {&machine}};
//   p.setup = [&](explore::scheduler& s) {
//     vfs::kernel& kernel = machine.boot(s);
//     ...                                             // register a file system, mount it, make files
//     writer = &machine.task("writer");
//   };
//   p.tasks.push_back({"writer", [&] { ... writer->pwrite(...) ... }});
//   p.check = [&] { ... };
//
// The instance lies in an arena and goes back with it: its mounts, inodes, tasks and all memory that comes from kernel::memory(). What lies
// elsewhere and changes, a device above all, is a state of its own and comes behind the instance in the list.
#pragma once

#include <memory_resource>
#include <vector>

#include <xip/explore/resettable.h>
#include <xip/explore/scheduler.h>
#include <xip/explore/snapshot_arena.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

namespace xip::scenario {

class explored_kernel final : public explore::resettable {
 public:
  explored_kernel() = default;
  explored_kernel(const explored_kernel&) = delete;
  explored_kernel& operator=(const explored_kernel&) = delete;

  // In a program's setup: makes the instance, run by S. An error in its log and a report of its lockdep fail the schedule.
  [[nodiscard]] vfs::kernel& boot(explore::scheduler& s);
  // After that, and in the same setup: a task of the instance, root's, that makes the calls of one of the program's tasks or of its setup and
  // check. It ends with the instance. NAME outlives it. Throws explore::failure.
  [[nodiscard]] vfs::task& task(const char* name);

  [[nodiscard]] vfs::kernel& kernel() const noexcept { return *kernel_; }
  // Values that the tasks share may lie here too.
  [[nodiscard]] std::pmr::memory_resource& memory() noexcept { return arena_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return arena_.used(); }

  [[nodiscard]] result<> save() override { return arena_.save(); }
  void restore() noexcept override { arena_.restore(); }
  // Ends its tasks, unmounts what is mounted, and the instance with it.
  void release() noexcept override;

 private:
  explore::snapshot_arena arena_;
  vfs::kernel* kernel_ = nullptr;  // in the arena
  std::vector<vfs::task*> tasks_;  // likewise
};

}  // namespace xip::scenario
