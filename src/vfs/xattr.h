// Extended attributes between the files of this room. Linux: fs/xattr.c, fs/posix_acl.c.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <xip/base/result.h>
#include <xip/vfs/inode.h>
#include <xip/vfs/ops.h>
#include <xip/vfs/posix_acl.h>

namespace xip::vfs {

// ---- xattr.cc: who may, and the hooks. Whoever changes something has write access to the mount and no lock.

// As getxattr's hook; any name. EPERM and ENODATA where the caller may not.
[[nodiscard]] result<std::size_t> vfs_getxattr(const inode& i, std::string_view name, std::span<std::byte> to);
[[nodiscard]] result<> vfs_setxattr(inode& i, std::string_view name, std::span<const std::byte> value, int flags);
[[nodiscard]] result<> vfs_removexattr(inode& i, std::string_view name);
// The names that the caller may see, each with a zero byte.
[[nodiscard]] result<std::pmr::string> vfs_listxattr(const inode& i);
// MASK: may_read or may_write. What the namespace of NAME and I's kind and mode allow. Linux: xattr_permission.
[[nodiscard]] result<> xattr_permission(const inode& i, std::string_view name, unsigned mask) noexcept;

// I may have capabilities, for all that is known without asking the file system. Under i_rwsem.
[[nodiscard]] bool may_have_file_capability(const inode& i) noexcept;
// i_rwsem exclusive, no handle open: a regular file that is changed loses its capabilities, whoever changes it. Linux: the part of file_remove_privs
// that security_inode_killpriv does.
[[nodiscard]] result<> remove_file_capability(inode& i);

// ---- acl_xattr.cc: access control lists as attributes

// The list that attribute NAME stands for; none: it is an attribute like others.
[[nodiscard]] std::optional<acl_type> posix_acl_type(std::string_view name) noexcept;
[[nodiscard]] result<std::size_t> vfs_get_acl(const inode& i, acl_type type, std::span<std::byte> to);
// An empty VALUE, or one of no entries, removes the list.
[[nodiscard]] result<> vfs_set_acl(inode& i, std::string_view name, acl_type type, std::span<const std::byte> value);

}  // namespace xip::vfs
