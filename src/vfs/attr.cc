// Changing attributes: who may, and what goes with it. Linux: fs/attr.c, fs/open.c.
#include "vfs/attr.h"

#include <xip/vfs/task.h>

#include "vfs/hook.h"
#include "vfs/permission.h"
#include "vfs/xattr.h"

namespace xip::vfs {

namespace {

[[nodiscard]] std::uint32_t uid_of(const inode& i) noexcept { return i.i_uid.load(std::memory_order_relaxed); }
[[nodiscard]] std::uint32_t gid_of(const inode& i) noexcept { return i.i_gid.load(std::memory_order_relaxed); }

// Linux: chown_ok, chgrp_ok.
[[nodiscard]] bool may_chown(const inode& i, const iattr& attr) noexcept {
  return (current_fsuid() == uid_of(i) && attr.ia_uid == uid_of(i)) || capable(CAP_CHOWN);
}
[[nodiscard]] bool may_chgrp(const inode& i, const iattr& attr) noexcept {
  const bool owner = current_fsuid() == uid_of(i);
  return (owner && (in_group(attr.ia_gid) || attr.ia_gid == gid_of(i))) || capable(CAP_CHOWN);
}

// What the file's flags forbid, and touching by who does not own it. Linux: may_setattr.
[[nodiscard]] result<> may_setattr(const inode& i, const iattr& attr) noexcept {
  constexpr std::uint32_t explicit_changes = attr_mode | attr_uid | attr_gid | attr_times_set;
  const std::uint32_t flags = i.i_flags.load(std::memory_order_relaxed);
  if ((flags & s_immutable) != 0) return fail(EPERM);
  if ((flags & s_append) != 0 && (attr.ia_valid & explicit_changes) != 0) return fail(EPERM);
  if ((attr.ia_valid & attr_touch) != 0 && !owner_or_capable(i)) return inode_permission(i, may_write);
  return {};
}

// Set-id bits that a chown, a truncate or a write takes away become part of the new mode.
void apply_kills(const inode& i, iattr& attr) noexcept {
  const std::uint32_t kills = attr.ia_valid & (attr_kill_suid | attr_kill_sgid);
  attr.ia_valid &= ~(attr_kill_suid | attr_kill_sgid);
  const std::uint32_t old = i.i_mode.load(std::memory_order_relaxed);
  std::uint32_t mode = old;
  if ((kills & attr_kill_suid) != 0) mode &= ~std::uint32_t{S_ISUID};
  if ((kills & attr_kill_sgid) != 0 && should_drop_sgid(i)) mode &= ~std::uint32_t{S_ISGID};
  if (mode == old) return;
  attr.ia_mode = mode;
  attr.ia_valid |= attr_mode;
}

// Who does not own the file, and has no capability for it, changes nothing of it.
[[nodiscard]] result<> check_owner(const inode& i, iattr& attr) noexcept {
  if ((attr.ia_valid & attr_uid) != 0 && !may_chown(i, attr)) return fail(EPERM);
  if ((attr.ia_valid & attr_gid) != 0 && !may_chgrp(i, attr)) return fail(EPERM);
  if ((attr.ia_valid & (attr_mode | attr_times_set)) != 0 && !owner_or_capable(i)) return fail(EPERM);
  if ((attr.ia_valid & attr_mode) != 0 && !in_group_or_capable((attr.ia_valid & attr_gid) != 0 ? attr.ia_gid : gid_of(i)))
    attr.ia_mode &= ~std::uint32_t{S_ISGID};
  return {};
}

}  // namespace

result<> inode_newsize_ok(const inode& i, loff_t size) noexcept {
  if (size <= i_size_read(i)) return {};
  const task* t = current_task();
  if (t != nullptr && size > t->limits.fsize) return fail(EFBIG);
  if (size > i.i_sb.s_maxbytes) return fail(EFBIG);
  return {};
}

result<> setattr_prepare(inode& i, iattr& attr) {
  XIP_TRY(may_setattr(i, attr));
  if ((attr.ia_valid & attr_size) != 0) XIP_TRY(inode_newsize_ok(i, attr.ia_size));
  apply_kills(i, attr);
  // A truncate was allowed by who may write: the set-id bits that it takes are not the owner's decision.
  if ((attr.ia_valid & attr_size) == 0) XIP_TRY(check_owner(i, attr));
  if ((attr.ia_valid & attr_kill_priv) != 0) XIP_TRY(remove_file_capability(i));
  attr.ia_valid &= ~attr_kill_priv;
  if ((attr.ia_valid & attr_size) != 0 && attr.ia_size != i_size_read(i)) attr.ia_valid |= attr_mtime | attr_ctime;
  return {};
}

result<> notify_change(inode& i, iattr attr) {
  const timespec64 now = current_time(i);
  if ((attr.ia_valid & attr_times_set) == 0) attr.ia_atime = attr.ia_mtime = now;
  attr.ia_ctime = now;
  if (i.i_op == nullptr || i.i_op->setattr == nullptr) return fail(EPERM);
  return call_hook(hook::setattr, i.i_op->setattr, i, attr);
}

result<> truncate_inode(inode& i, loff_t size, std::uint32_t times) {
  iattr attr{.ia_valid = attr_size | attr_kill_priv | times, .ia_size = size};
  if (!capable(CAP_FSETID) && i.is_reg()) attr.ia_valid |= attr_kill_suid | attr_kill_sgid;
  return notify_change(i, attr);
}

}  // namespace xip::vfs
