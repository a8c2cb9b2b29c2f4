// May the running task do this? Linux: fs/namei.c (inode_permission, may_create, may_delete), fs/attr.c.
#pragma once

#include <cstdint>

#include <xip/base/result.h>
#include <xip/vfs/inode.h>

namespace xip::vfs {

inline constexpr unsigned may_exec = 1;  // R_OK, W_OK, X_OK
inline constexpr unsigned may_write = 2;
inline constexpr unsigned may_read = 4;

// EACCES; EROFS and EPERM (immutable) for writing. Linux: inode_permission.
[[nodiscard]] result<> inode_permission(const inode& i, unsigned mask) noexcept;
// To search a directory: permission to execute, on the way of every walk.
[[nodiscard]] result<> may_lookup(const inode& dir) noexcept;
// A new name in DIR. ENOENT: DIR was removed.
[[nodiscard]] result<> may_create(const inode& dir) noexcept;
// Removing VICTIM's name from DIR. EACCES, EPERM (sticky, append-only, immutable), ENOTDIR, EISDIR, EBUSY (a root), ENOENT.
[[nodiscard]] result<> may_delete(const inode& dir, const inode& victim, bool want_directory) noexcept;
// The caller owns I or has all capabilities. Linux: inode_owner_or_capable.
[[nodiscard]] bool owner_or_capable(const inode& i) noexcept;

}  // namespace xip::vfs
