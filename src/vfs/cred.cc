// Who calls. Linux: kernel/cred.c, kernel/groups.c.
#include <algorithm>

#include <xip/vfs/task.h>

#include "vfs/permission.h"

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

std::uint32_t current_umask() noexcept {
  const task* t = current_task();
  return t == nullptr ? 0 : t->mask;
}

bool in_group(std::uint32_t gid) noexcept {
  const task* t = current_task();
  return t == nullptr ? gid == 0 : t->who.gid == gid || std::ranges::find(t->who.groups, gid) != t->who.groups.end();
}

bool capable(int capability) noexcept {
  const task* t = current_task();
  return t == nullptr || (t->who.cap_effective() & capability_bit(capability)) != 0;
}

// Only the ids change: groups stay, and a user other than 0 has no capabilities then. Linux: access_override_creds.
real_cred_scope::real_cred_scope(task& t) noexcept : task_{t}, uid_{t.who.uid}, gid_{t.who.gid}, capabilities_{t.who.capabilities} {
  cred& who = t.who;
  if (who.real_uid.value_or(who.uid) != 0) {
    who.capabilities = 0;
  } else if (!who.capabilities) {
    who.capabilities = all_capabilities;
  }
  who.uid = who.real_uid.value_or(who.uid);
  who.gid = who.real_gid.value_or(who.gid);
}

real_cred_scope::~real_cred_scope() {
  task_.who.uid = uid_;
  task_.who.gid = gid_;
  task_.who.capabilities = capabilities_;
}

}  // namespace xip::vfs
