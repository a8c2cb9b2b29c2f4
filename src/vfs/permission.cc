// Permission checks by owner, group and others, and what capabilities allow beyond. Linux: fs/namei.c.
#include "vfs/permission.h"

#include <xip/vfs/kernel.h>
#include <xip/vfs/posix_acl.h>
#include <xip/vfs/super_block.h>

namespace xip::vfs {

namespace {

[[nodiscard]] std::uint32_t mode_of(const inode& i) noexcept { return i.i_mode.load(std::memory_order_relaxed); }
[[nodiscard]] std::uint32_t uid_of(const inode& i) noexcept { return i.i_uid.load(std::memory_order_relaxed); }
[[nodiscard]] std::uint32_t gid_of(const inode& i) noexcept { return i.i_gid.load(std::memory_order_relaxed); }

[[nodiscard]] bool has_flag(const inode& i, std::uint32_t flags) noexcept {
  return (i.i_flags.load(std::memory_order_relaxed) & flags) != 0;
}

// I has an access control list, for all that is known without asking the file system.
[[nodiscard]] bool may_have_acl(const inode& i) noexcept {
  return !i.i_acl.is_none() && (i.i_sb.s_flags.load(std::memory_order_relaxed) & sb_posixacl) != 0;
}

// The first class that the caller is in decides, whatever the others would grant. A list decides for all but the owner; where the group's bits, which are its
// mask then, grant nothing, it has nothing to say. EACCES, and what reading a list may answer.
[[nodiscard]] result<> acl_permission_check(const inode& i, unsigned mask) noexcept {
  const std::uint32_t mode = mode_of(i);
  const auto answer = [](bool granted) { return granted ? result<>{} : fail(EACCES); };
  const bool has_acl = may_have_acl(i);
  if (((mask & 7) * 0111 & ~mode) == 0 && !has_acl) return {};  // everybody may
  if (current_fsuid() == uid_of(i)) return answer((mask & ~(mode >> 6) & 7) == 0);
  if (has_acl && (mode & 070) != 0) {
    if ((mask & may_not_block) != 0 && !is_acl_cached(i, acl_type::access)) return fail(EAGAIN);
    if (const acl_ref acl = XIP_TRY(get_inode_acl(i, acl_type::access))) return posix_acl_permission(i, *acl, mask);
  }
  // Where the classes of group and others grant the same, it does not matter which of them it is.
  const bool groups_matter = ((mask & (mode ^ (mode >> 3))) & 7) != 0;
  return answer((mask & ~(groups_matter && in_group(gid_of(i)) ? mode >> 3 : mode) & 7) == 0);
}

[[nodiscard]] result<> generic_permission(const inode& i, unsigned mask) noexcept {
  const result<> checked = acl_permission_check(i, mask);
  if (checked || checked.error() != EACCES) [[likely]]
    return checked;
  const std::uint32_t mode = mode_of(i);
  if (S_ISDIR(mode)) {
    if ((mask & may_write) == 0 && capable(CAP_DAC_READ_SEARCH)) return {};
    return capable(CAP_DAC_OVERRIDE) ? result<>{} : fail(EACCES);
  }
  if (mask == may_read && capable(CAP_DAC_READ_SEARCH)) return {};
  // Nobody executes a file that nobody may execute.
  const bool executable = (mask & may_exec) == 0 || (mode & 0111) != 0;
  return executable && capable(CAP_DAC_OVERRIDE) ? result<>{} : fail(EACCES);
}

// In a sticky directory only the owner of the file or of the directory removes it.
[[nodiscard]] bool sticky_forbids(const inode& dir, const inode& victim) noexcept {
  if ((mode_of(dir) & S_ISVTX) == 0) return false;
  const std::uint32_t uid = current_fsuid();
  return uid != uid_of(victim) && uid != uid_of(dir) && !capable(CAP_FOWNER);
}

// Linux: safe_hardlink_source.
[[nodiscard]] bool safe_hardlink_source(const inode& source) noexcept {
  const std::uint32_t mode = mode_of(source);
  if (!S_ISREG(mode) || (mode & S_ISUID) != 0) return false;
  if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) return false;
  return inode_permission(source, may_read | may_write).has_value();
}

}  // namespace

result<> inode_permission(const inode& i, unsigned mask) noexcept {
  if ((mask & may_write) != 0) {
    if (i.i_sb.is_rdonly() && (i.is_reg() || i.is_dir() || i.is_symlink())) return fail(EROFS);
    if (has_flag(i, s_immutable)) return fail(EPERM);
  }
  return generic_permission(i, mask);
}

result<> may_lookup(const inode& dir, unsigned how) noexcept {
  if ((mode_of(dir) & 0111) == 0111 && !may_have_acl(dir)) [[likely]]
    return {};
  return generic_permission(dir, may_exec | how);
}

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

result<> may_linkat(const inode& source) noexcept {
  if (!source.i_sb.s_kernel.protection().protected_hardlinks) return {};
  return safe_hardlink_source(source) || owner_or_capable(source) ? result<>{} : fail(EPERM);
}

result<> may_create_in_sticky(const inode& dir, const inode& victim) noexcept {
  const std::uint32_t dir_mode = mode_of(dir);
  if ((dir_mode & S_ISVTX) == 0) return {};
  const std::uint32_t mode = mode_of(victim);
  const protection_sysctls& sysctl = victim.i_sb.s_kernel.protection();
  const std::uint8_t level = S_ISREG(mode) ? sysctl.protected_regular : S_ISFIFO(mode) ? sysctl.protected_fifos : std::uint8_t{0};
  if (level == 0 || uid_of(victim) == uid_of(dir) || uid_of(victim) == current_fsuid()) return {};
  if ((dir_mode & 0002) != 0 || ((dir_mode & 0020) != 0 && level >= 2)) return fail(EACCES);
  return {};
}

bool owner_or_capable(const inode& i) noexcept { return current_fsuid() == uid_of(i) || capable(CAP_FOWNER); }

bool in_group_or_capable(std::uint32_t gid) noexcept { return in_group(gid) || capable(CAP_FSETID); }

}  // namespace xip::vfs
