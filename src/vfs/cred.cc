// Who calls. Linux: kernel/cred.c, kernel/groups.c.
#include <algorithm>

#include <xip/vfs/task.h>

namespace xip::vfs {

task* current_task() noexcept { return static_cast<task*>(current().task); }

std::uint32_t current_fsuid() noexcept {
  const task* t = current_task();
  return t == nullptr ? 0 : t->who.uid;
}

std::uint32_t current_fsgid() noexcept {
  const task* t = current_task();
  return t == nullptr ? 0 : t->who.gid;
}

bool in_group(std::uint32_t gid) noexcept {
  const task* t = current_task();
  return t == nullptr ? gid == 0 : t->who.gid == gid || std::ranges::find(t->who.groups, gid) != t->who.groups.end();
}

bool capable() noexcept { return current_fsuid() == 0; }

}  // namespace xip::vfs
