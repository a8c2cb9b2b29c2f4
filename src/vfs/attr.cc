// Changing attributes: who may, and what goes with it. Linux: fs/attr.c, fs/open.c.
#include "vfs/attr.h"

#include <xip/vfs/task.h>

#include "vfs/hook.h"
#include "vfs/permission.h"

namespace xip::vfs {

namespace {

[[nodiscard]] bool may_chown(const inode& i, const iattr& attr) noexcept {
  return capable() ||
         (current_fsuid() == i.i_uid.load(std::memory_order_relaxed) && attr.ia_uid == i.i_uid.load(std::memory_order_relaxed));
}
[[nodiscard]] bool may_chgrp(const inode& i, const iattr& attr) noexcept {
  if (capable()) return true;
  const bool owner = current_fsuid() == i.i_uid.load(std::memory_order_relaxed);
  return owner && (in_group(attr.ia_gid) || attr.ia_gid == i.i_gid.load(std::memory_order_relaxed));
}

[[nodiscard]] result<> may_setattr(const inode& i, const iattr& attr) noexcept {
  const std::uint32_t flags = i.i_flags.load(std::memory_order_relaxed);
  const bool times_set = (attr.ia_valid & attr_times_set) != 0;
  if ((attr.ia_valid & (attr_mode | attr_uid | attr_gid)) != 0 || times_set)
    if ((flags & (s_immutable | s_append)) != 0) return fail(EPERM);
  if ((attr.ia_valid & attr_size) != 0) XIP_TRY(inode_newsize_ok(i, attr.ia_size));
  if ((attr.ia_valid & attr_uid) != 0 && !may_chown(i, attr)) return fail(EPERM);
  if ((attr.ia_valid & attr_gid) != 0 && !may_chgrp(i, attr)) return fail(EPERM);
  if (((attr.ia_valid & attr_mode) != 0 || times_set) && !owner_or_capable(i)) return fail(EPERM);
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

}  // namespace

result<> inode_newsize_ok(const inode& i, loff_t size) noexcept {
  if (size <= i_size_read(i)) return {};
  const task* t = current_task();
  if (t != nullptr && size > t->limits.fsize) return fail(EFBIG);
  if (size > i.i_sb.s_maxbytes) return fail(EFBIG);
  return {};
}

result<> setattr_prepare(const inode& i, iattr& attr) noexcept {
  XIP_TRY(may_setattr(i, attr));
  if ((attr.ia_valid & attr_size) != 0 && attr.ia_size != i_size_read(i)) attr.ia_valid |= attr_mtime | attr_ctime;
  apply_kills(i, attr);
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
  iattr attr{.ia_valid = attr_size | times, .ia_size = size};
  if (!capable() && i.is_reg()) attr.ia_valid |= attr_kill_suid | attr_kill_sgid;
  return notify_change(i, attr);
}

}  // namespace xip::vfs
