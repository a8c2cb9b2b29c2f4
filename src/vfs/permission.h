// May the running task do this? Linux: fs/namei.c (inode_permission, may_create, may_delete, may_linkat), fs/attr.c, fs/open.c.
#pragma once

#include <cstdint>
#include <optional>

#include <xip/base/result.h>
#include <xip/vfs/inode.h>
#include <xip/vfs/kernel.h>

namespace xip::vfs {

inline constexpr unsigned may_exec = 1;  // R_OK, W_OK, X_OK
inline constexpr unsigned may_write = 2;
inline constexpr unsigned may_read = 4;
inline constexpr unsigned may_not_block = 0x80;  // EAGAIN where a list would have to be read from the medium

// EACCES; EROFS and EPERM (immutable) for writing. Linux: inode_permission.
[[nodiscard]] result<> inode_permission(const inode& i, unsigned mask) noexcept;
// To search a directory: permission to execute, on the way of every walk. HOW: may_not_block, or nothing.
[[nodiscard]] result<> may_lookup(const inode& dir, unsigned how = 0) noexcept;
// A new name in DIR. ENOENT: DIR was removed.
[[nodiscard]] result<> may_create(const inode& dir) noexcept;
// Removing VICTIM's name from DIR. EACCES, EPERM (sticky, append-only, immutable), ENOTDIR, EISDIR, EBUSY (a root), ENOENT.
[[nodiscard]] result<> may_delete(const inode& dir, const inode& victim, bool want_directory) noexcept;
// The rule of protected_hardlinks. EPERM. Linux: may_linkat.
[[nodiscard]] result<> may_linkat(const inode& source) noexcept;
// O_CREAT met VICTIM in DIR: the rules of protected_fifos and protected_regular. EACCES. Linux: may_create_in_sticky.
[[nodiscard]] result<> may_create_in_sticky(const inode& dir, const inode& victim) noexcept;
// The caller owns I or has CAP_FOWNER. Linux: inode_owner_or_capable.
[[nodiscard]] bool owner_or_capable(const inode& i) noexcept;
// The caller is in GID or has CAP_FSETID: it may give out that group's privilege. Linux: in_group_or_capable.
[[nodiscard]] bool in_group_or_capable(std::uint32_t gid) noexcept;

// What ACL, the access list of I, says of the caller. EACCES; EIO: it makes no sense. Linux: posix_acl_permission.
[[nodiscard]] result<> posix_acl_permission(const inode& i, const posix_acl& acl, unsigned want) noexcept;

// A task asks as its real user, until the end of the scope.
class real_cred_scope {
 public:
  explicit real_cred_scope(task& t) noexcept;
  ~real_cred_scope();
  real_cred_scope(const real_cred_scope&) = delete;
  real_cred_scope& operator=(const real_cred_scope&) = delete;

 private:
  task& task_;
  const std::uint32_t uid_, gid_;
  const std::optional<capability_set> capabilities_;
};

// The mode of what is made in DIR: without MASK, and without a set-group-ID bit that would give DIR's group to somebody outside of it. That is decided by
// what the caller asked for, before the mask takes from it. Where access control lists are looked at the mask is the file system's: a default list takes its
// place (posix_acl_create).
[[nodiscard]] std::uint32_t vfs_prepare_mode(const inode& dir, std::uint32_t mode, std::uint32_t mask) noexcept;

}  // namespace xip::vfs
