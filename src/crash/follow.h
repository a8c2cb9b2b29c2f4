// follow: steps made one after the other where nothing crashes, with all that is there behind each: the measure of what a crash may leave.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <xip/crash/file_system.h>
#include <xip/crash/workload.h>
#include <xip/dev/device.h>
#include <xip/vfs/task.h>

#include "crash/content_model.h"
#include "crash/lone_kernel.h"
#include "crash/oracle.h"
#include "crash/play.h"
#include "crash/tree.h"

namespace xip::crash {

// What the setup writes is told from what a step writes, which is told by its number modulo this.
inline constexpr std::size_t setup_number = 13;

// What a program or subject says when it cannot go on: throws WRONG, unless it is empty.
void must(std::string wrong);
void mount_or_throw(lone_kernel& machine, const crashed_file_system& fs, dev::device& device);
[[nodiscard]] tree tree_or_throw(vfs::task& t);
// One step, UMOUNT included. The errno, or 0.
[[nodiscard]] int play_step(player& p, lone_kernel& machine, const crashed_file_system& fs, dev::device& device, const step& s,
                            std::size_t number);

class follower {
 public:
  // MACHINE is mounted on DEVICE. What is there goes to MEASURE. Each of TASKS has descriptors of its own.
  follower(lone_kernel& machine, const crashed_file_system& fs, dev::device& device, std::size_t tasks, oracle& measure)
      : machine_{machine}, fs_{fs}, device_{device}, players_(tasks), measure_{measure} {}

  // Before the first step. This and the next throw where something cannot be read, or is not what was written.
  void start(numbering files);
  // S, a mount, is what came before start().
  void mounted(const step& s);
  // S, which writes what NUMBER says. ENDED is called behind it, before anything is looked at: whether everything is durable now. The errno, or 0.
  int make(const step& s, std::size_t number, const std::function<void(bool everything)>& ended);
  void close_all();

 private:
  [[nodiscard]] tree all_files();
  [[nodiscard]] bool writes_last(const step& s, const tree_node* file) const;
  // Of which bytes of FILE what S has MADE durable is true.
  [[nodiscard]] synced_bytes bytes_synced(const step& s, durability made, std::uint64_t file, bool appends);

  lone_kernel& machine_;
  const crashed_file_system& fs_;
  dev::device& device_;
  std::vector<player> players_;
  oracle& measure_;
  content_model contents_;
  std::set<std::uint64_t> stored_;  // files that were stored to since they were synced
};

}  // namespace xip::crash
