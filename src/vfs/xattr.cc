// Extended attributes: who may read and change them. Linux: fs/xattr.c, security/commoncap.c.
//
// The VFS knows namespaces, the file system names and values. i_rwsem excludes two changes of one inode; readers take nothing here.
#include "vfs/xattr.h"

#include <linux/capability.h>
#include <linux/xattr.h>

#include <cstring>

#include <xip/base/endian.h>

#include "vfs/hook.h"
#include "vfs/permission.h"

namespace xip::vfs {

namespace {

constexpr std::string_view capability_name = XATTR_NAME_CAPS;

[[nodiscard]] bool has_flag(const inode& i, std::uint32_t flags) noexcept {
  return (i.i_flags.load(std::memory_order_relaxed) & flags) != 0;
}

// Those of a user's own making are for what has contents and permissions; in a sticky directory of others only its owner makes any.
[[nodiscard]] result<> user_xattr_permission(const inode& i, unsigned mask) noexcept {
  if (!i.is_reg() && !i.is_dir()) return fail((mask & may_write) != 0 ? EPERM : ENODATA);
  const bool sticky = i.is_dir() && (i.i_mode.load(std::memory_order_relaxed) & S_ISVTX) != 0;
  return sticky && (mask & may_write) != 0 && !owner_or_capable(i) ? fail(EPERM) : result<>{};
}

// Privileges of a program are given by who may give privileges, other labels by the administrator. Linux: cap_inode_setxattr, cap_inode_removexattr.
[[nodiscard]] result<> may_change_label(std::string_view name, bool removes) noexcept {
  if (!name.starts_with(XATTR_SECURITY_PREFIX)) return {};
  if (name == capability_name) return !removes || capable(CAP_SETFCAP) ? result<>{} : fail(EPERM);
  return capable(CAP_SYS_ADMIN) ? result<>{} : fail(EPERM);
}

// Linux: cap_convert_nscap.
[[nodiscard]] result<> check_file_capability(std::span<const std::byte> value) noexcept {
  le32 magic;
  if (value.size() != XATTR_CAPS_SZ_2 && value.size() != XATTR_CAPS_SZ_3) return fail(EINVAL);
  std::memcpy(&magic, value.data(), sizeof magic);
  const std::uint32_t revision = value.size() == XATTR_CAPS_SZ_2 ? VFS_CAP_REVISION_2 : VFS_CAP_REVISION_3;
  if ((magic & ~std::uint32_t{VFS_CAP_FLAGS_EFFECTIVE}) != revision) return fail(EINVAL);
  if (!capable(CAP_SETFCAP)) return fail(EPERM);
  if (value.size() == XATTR_CAPS_SZ_2) return {};
  // Whose root it is stands last.
  le32 root;
  std::memcpy(&root, value.last(sizeof root).data(), sizeof root);
  return root != ~std::uint32_t{0} ? result<>{} : fail(EINVAL);
}

// VALUE none: it goes. i_rwsem is taken here.
[[nodiscard]] result<> change_xattr(inode& i, std::string_view name, xattr_value value, int flags) {
  exclusive_guard guard{i.i_rwsem};
  XIP_TRY(xattr_permission(i, name, may_write));
  XIP_TRY(may_change_label(name, !value));
  if (i.i_op == nullptr || i.i_op->setxattr == nullptr) return fail(EOPNOTSUPP);
  // Before the change: a write that comes after it must look again.
  if (name.starts_with(XATTR_SECURITY_PREFIX)) i.i_flags.fetch_and(~s_nosec, std::memory_order_relaxed);
  return call_hook(hook::setxattr, i.i_op->setxattr, i, name, value, flags);
}

// Names of what the caller may not know are cut out.
void hide_trusted(std::pmr::string& names) {
  if (capable(CAP_SYS_ADMIN)) return;
  for (std::size_t at = 0; at < names.size();) {
    const std::size_t bytes = std::strlen(names.c_str() + at) + 1;
    if (std::string_view{names}.substr(at).starts_with(XATTR_TRUSTED_PREFIX))
      names.erase(at, bytes);
    else
      at += bytes;
  }
}

// What cannot be read may be a privilege: the change that would have to take it away fails, where Linux goes on (cap_inode_need_killpriv).
[[nodiscard]] result<bool> has_file_capability(const inode& i) {
  if (i.i_op == nullptr || i.i_op->getxattr == nullptr) return false;
  const auto bytes = call_hook(hook::getxattr, i.i_op->getxattr, i, capability_name, std::span<std::byte>{});
  if (bytes) return *bytes != 0;
  if (bytes.error() == ENODATA || bytes.error() == EOPNOTSUPP) return false;
  return fail(bytes.error());
}

}  // namespace

result<> xattr_permission(const inode& i, std::string_view name, unsigned mask) noexcept {
  if ((mask & may_write) != 0 && has_flag(i, s_immutable | s_append)) return fail(EPERM);
  // Those have rules of their own.
  if (name.starts_with(XATTR_SECURITY_PREFIX) || name.starts_with(XATTR_SYSTEM_PREFIX)) return {};
  if (name.starts_with(XATTR_TRUSTED_PREFIX)) {
    if (capable(CAP_SYS_ADMIN)) return {};
    return fail((mask & may_write) != 0 ? EPERM : ENODATA);
  }
  if (name.starts_with(XATTR_USER_PREFIX)) XIP_TRY(user_xattr_permission(i, mask));
  return inode_permission(i, mask);
}

result<std::size_t> vfs_getxattr(const inode& i, std::string_view name, std::span<std::byte> to) {
  if (const auto type = posix_acl_type(name)) return vfs_get_acl(i, *type, to);
  XIP_TRY(xattr_permission(i, name, may_read));
  if (i.i_op == nullptr || i.i_op->getxattr == nullptr) return fail(EOPNOTSUPP);
  return call_hook(hook::getxattr, i.i_op->getxattr, i, name, to);
}

result<> vfs_setxattr(inode& i, std::string_view name, std::span<const std::byte> value, int flags) {
  if (const auto type = posix_acl_type(name)) return vfs_set_acl(i, name, *type, value);
  if (name == capability_name && !value.empty()) XIP_TRY(check_file_capability(value));
  return change_xattr(i, name, value, flags);
}

result<> vfs_removexattr(inode& i, std::string_view name) {
  if (const auto type = posix_acl_type(name)) return vfs_set_acl(i, name, *type, {});
  return change_xattr(i, name, std::nullopt, XATTR_REPLACE);
}

result<std::pmr::string> vfs_listxattr(const inode& i) {
  std::pmr::string names{&i.i_sb.memory()};
  if (i.i_op == nullptr || i.i_op->listxattr == nullptr) return names;
  XIP_TRY(call_hook(hook::listxattr, i.i_op->listxattr, i, names));
  hide_trusted(names);
  return names;
}

bool may_have_file_capability(const inode& i) noexcept { return i.is_reg() && !has_flag(i, s_nosec); }

result<> remove_file_capability(inode& i) {
  if (has_flag(i, s_nosec)) [[likely]]
    return {};
  if (i.is_reg() && XIP_TRY(has_file_capability(i))) {
    if (i.i_op->setxattr == nullptr) return {};
    XIP_TRY(call_hook(hook::setxattr, i.i_op->setxattr, i, capability_name, xattr_value{}, XATTR_REPLACE));
  }
  i.i_flags.fetch_or(s_nosec, std::memory_order_relaxed);
  return {};
}

}  // namespace xip::vfs
