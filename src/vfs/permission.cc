// Permission checks by owner, group, others and uid 0. Linux: fs/namei.c.
#include "vfs/permission.h"

#include <xip/vfs/kernel.h>
#include <xip/vfs/super_block.h>

namespace xip::vfs {

namespace {

[[nodiscard]] result<> acl_permission(const inode& i, unsigned mask) noexcept {
  const std::uint32_t mode = i.i_mode.load(std::memory_order_relaxed);
  std::uint32_t bits = mode;
  if (current_fsuid() == i.i_uid.load(std::memory_order_relaxed))
    bits = mode >> 6;
  else if (in_group(i.i_gid.load(std::memory_order_relaxed)))
    bits = mode >> 3;
  if ((mask & ~bits & 7) == 0) return {};
  // All capabilities: everything, but executing a file that nobody may execute.
  if (capable() && ((mask & may_exec) == 0 || S_ISDIR(mode) || (mode & 0111) != 0)) return {};
  return fail(EACCES);
}

// In a sticky directory only the owner of the file or of the directory removes it.
[[nodiscard]] bool sticky_forbids(const inode& dir, const inode& victim) noexcept {
  if ((dir.i_mode.load(std::memory_order_relaxed) & S_ISVTX) == 0) return false;
  const std::uint32_t uid = current_fsuid();
  return uid != victim.i_uid.load(std::memory_order_relaxed) && uid != dir.i_uid.load(std::memory_order_relaxed) && !capable();
}

[[nodiscard]] bool has_flag(const inode& i, std::uint32_t flags) noexcept {
  return (i.i_flags.load(std::memory_order_relaxed) & flags) != 0;
}

}  // namespace

result<> inode_permission(const inode& i, unsigned mask) noexcept {
  if ((mask & may_write) != 0) {
    if (i.i_sb.is_rdonly() && (i.is_reg() || i.is_dir() || i.is_symlink())) return fail(EROFS);
    if (has_flag(i, s_immutable)) return fail(EPERM);
  }
  return acl_permission(i, mask);
}

result<> may_lookup(const inode& dir) noexcept { return acl_permission(dir, may_exec); }

result<> may_create(const inode& dir) noexcept {
  if (has_flag(dir, s_dead)) return fail(ENOENT);
  return inode_permission(dir, may_write | may_exec);
}

result<> may_delete(const inode& dir, const inode& victim, bool want_directory) noexcept {
  XIP_TRY(inode_permission(dir, may_write | may_exec));
  if (has_flag(dir, s_append)) return fail(EPERM);
  if (sticky_forbids(dir, victim) || has_flag(victim, s_append | s_immutable)) return fail(EPERM);
  if (want_directory && !victim.is_dir()) return fail(ENOTDIR);
  if (!want_directory && victim.is_dir()) return fail(EISDIR);
  if (has_flag(dir, s_dead)) return fail(ENOENT);
  return {};
}

bool owner_or_capable(const inode& i) noexcept { return current_fsuid() == i.i_uid.load(std::memory_order_relaxed) || capable(); }

}  // namespace xip::vfs
