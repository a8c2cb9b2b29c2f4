// A kernel instance: file systems, mounts, tasks, log, lockdep. All of its state lives in one memory resource; two instances
// share nothing.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <linux/capability.h>

#include <xip/base/points.h>
#include <xip/base/result.h>
#include <xip/dev/device.h>
#include <xip/locks/lockdep.h>
#include <xip/locks/sched_hook.h>
#include <xip/vfs/super_block.h>

namespace xip::vfs {

struct task;
struct mount;

// Linux's printk levels that are used here.
enum class log_level : std::uint8_t { error, warning, notice, info };

// Rules for directories that everybody may write to, as /proc/sys/fs sets them in Linux. On, as distributions have them.
struct protection_sysctls {
  bool protected_hardlinks = true;     // a new name only for files that one owns or may read and write, and that carry no privilege
  bool protected_symlinks = true;      // there symlinks lead only their owner on, and others if the directory's owner made them
  std::uint8_t protected_fifos = 1;    // O_CREAT does not open another's fifo in a sticky directory of all (1) or of a group (2)
  std::uint8_t protected_regular = 2;  // the same for regular files
};

struct kernel_options {
  std::pmr::memory_resource* memory = nullptr;  // null: the default resource; must be safe for several threads
  // May be called by several threads at once. Null: standard error, warnings and errors only.
  std::function<void(log_level, std::string_view)> log;
  lockdep::reporter lockdep_report;  // null: print and abort
  sched_hook* sched = nullptr;       // null: the host's threads
  point_sink* points = nullptr;
  std::size_t dentry_limit = 65536;  // more cached names than this: unused ones are dropped
  protection_sysctls protection;
  // Gives a task the address space of its first mmap. Null: a model (xip/mm/mm.h, where make_host_mm is for pointers).
  result<> (*make_mm)(task&) = nullptr;
};

// A set of capabilities: bit CAP_x of linux/capability.h for each. Linux: kernel_cap_t.
using capability_set = std::uint64_t;
inline constexpr capability_set all_capabilities = ~capability_set{0};
[[nodiscard]] constexpr capability_set capability_bit(int capability) noexcept { return capability_set{1} << capability; }

// Who one is. Linux: struct cred.
struct cred {
  std::uint32_t uid = 0;  // as which files are reached and made: Linux's fsuid and fsgid
  std::uint32_t gid = 0;
  std::pmr::vector<std::uint32_t> groups;  // a task's lie in its instance's memory
  // What access(2) asks as; none: the same.
  std::optional<std::uint32_t> real_uid = {};
  std::optional<std::uint32_t> real_gid = {};
  // None: uid 0 has all, others have none. What access(2) asks with if the real user is 0: all.
  std::optional<capability_set> capabilities = {};

  [[nodiscard]] capability_set cap_effective() const noexcept { return capabilities.value_or(uid == 0 ? all_capabilities : 0); }
};

struct mount_failure {
  error code;
  std::string message;  // names the device, the feature or option, and what to do
};

class kernel {
 public:
  explicit kernel(kernel_options options = {});
  ~kernel();  // unmounts what is still mounted; no task may be left
  kernel(const kernel&) = delete;
  kernel& operator=(const kernel&) = delete;

  // TYPE must outlive the instance. EBUSY: the name is taken.
  [[nodiscard]] result<> register_filesystem(const file_system_type& type);

  // Mounts SOURCE as file system TYPE on TARGET: the first mount is on "/", later ones on existing directories. OPTIONS is comma-separated as in
  // fstab: generic ones (ro, rw, noatime, relatime, strictatime, nodiratime, sync, dirsync, nosuid, nodev, noexec) and the file system's own.
  [[nodiscard]] std::expected<void, mount_failure> mount(std::string_view type, dev::device& source, std::string_view target,
                                                         std::string_view options = {});
  // EBUSY: open files, a working directory, or another mount on it. The error of the last write-back otherwise.
  [[nodiscard]] result<> umount(std::string_view target);
  [[nodiscard]] std::expected<void, mount_failure> remount(std::string_view target, std::string_view options);
  // All mounts (Linux: sync(2)).
  [[nodiscard]] result<> sync();
  // As /proc/mounts: "source target type options" a line.
  [[nodiscard]] std::string mounts() const;

  // A task: one thread of calls (xip/vfs/task.h). Its working directory is "/". Freed by exit_task.
  [[nodiscard]] result<task*> make_task(const cred& who = {}, const char* name = "task");
  // As fork: a child with copies of cwd, umask, credentials, limits and descriptors (same open files); with SHARE_FILES the
  // descriptor table is the same object (CLONE_FILES).
  [[nodiscard]] result<task*> fork_task(task& parent, const char* name, bool share_files = false);
  void exit_task(task* t) noexcept;  // closes its descriptors

  [[nodiscard]] std::pmr::memory_resource& memory() noexcept;
  [[nodiscard]] lockdep& deps() noexcept;
  [[nodiscard]] const protection_sysctls& protection() const noexcept;
  void printk(log_level level, std::string_view text) noexcept;
  // Drops unused dentries and inodes (Linux: /proc/sys/vm/drop_caches 2).
  void drop_caches() noexcept;

  struct impl;
  [[nodiscard]] impl& internals() noexcept { return *impl_; }

 private:
  impl* impl_;
};

// The task running now, or null outside of system calls.
[[nodiscard]] task* current_task() noexcept;

// Who calls, for file systems; outside of a task's calls: root. Linux: current_fsuid and friends.
[[nodiscard]] std::uint32_t current_fsuid() noexcept;
[[nodiscard]] std::uint32_t current_fsgid() noexcept;
[[nodiscard]] std::uint32_t current_umask() noexcept;
[[nodiscard]] bool in_group(std::uint32_t gid) noexcept;  // as main or supplementary group
[[nodiscard]] bool capable(int capability) noexcept;      // CAP_ of linux/capability.h

}  // namespace xip::vfs
