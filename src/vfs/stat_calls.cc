// Calls that look: stat and its kin, statfs, access, readlink. Linux: fs/stat.c, fs/statfs.c, fs/open.c.
#include <sys/statvfs.h>

#include <optional>
#include <utility>

#include <xip/vfs/ops.h>

#include "vfs/files_struct.h"
#include "vfs/hook.h"
#include "vfs/kernel_impl.h"
#include "vfs/namei.h"
#include "vfs/permission.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

// Linux: vfs_getattr. What the VFS knows itself comes first; the hook adds its own.
[[nodiscard]] result<kstat> vfs_getattr(const path& p) {
  const inode& i = *p.dent->get_inode();
  kstat stat;
  stat.attributes_mask = STATX_ATTR_DAX | STATX_ATTR_MOUNT_ROOT;
  if (i.is_dax()) stat.attributes |= STATX_ATTR_DAX;
  if (p.dent == p.mnt->mnt_root) stat.attributes |= STATX_ATTR_MOUNT_ROOT;
  if (i.i_op != nullptr && i.i_op->getattr != nullptr)
    XIP_TRY(call_hook(hook::getattr, i.i_op->getattr, i, stat));
  else
    generic_fillattr(i, stat);
  return stat;
}

[[nodiscard]] result<kstat> stat_path(task& t, const at& dir, std::string_view name, unsigned lookup) {
  const path_ref p = XIP_TRY(user_path_at(t, dir, name, lookup));
  return vfs_getattr(p.get());
}

[[nodiscard]] std::uint64_t statfs_flags(std::uint32_t sb_flags) noexcept {
  struct flag_pair {
    std::uint32_t sb;
    std::uint64_t st;
  };
  constexpr flag_pair pairs[] = {{sb_rdonly, ST_RDONLY},         {sb_nosuid, ST_NOSUID},           {sb_nodev, ST_NODEV},
                                 {sb_noexec, ST_NOEXEC},         {sb_synchronous, ST_SYNCHRONOUS}, {sb_noatime, ST_NOATIME},
                                 {sb_nodiratime, ST_NODIRATIME}, {sb_relatime, ST_RELATIME}};
  std::uint64_t flags = 0x0020;  // ST_VALID
  for (const flag_pair& pair : pairs)
    if ((sb_flags & pair.sb) != 0) flags |= pair.st;
  return flags;
}

[[nodiscard]] result<kstatfs> vfs_statfs(super_block& sb) {
  if (sb.s_op->statfs == nullptr) return fail(ENOSYS);
  kstatfs answer;
  answer.maxbytes = sb.s_maxbytes;
  XIP_TRY(call_hook(hook::statfs, sb.s_op->statfs, sb, answer));
  if (answer.frsize == 0) answer.frsize = answer.bsize;
  answer.flags = statfs_flags(sb.s_flags.load(std::memory_order_relaxed));
  return answer;
}

[[nodiscard]] result<std::string> read_link(const path_ref& p, bool empty_path) {
  inode& i = p.get_inode();
  if (!i.is_symlink()) return fail(empty_path ? ENOENT : EINVAL);
  const std::pmr::string text = XIP_TRY(vfs_get_link(i));
  return std::string{text};
}

}  // namespace

result<kstat> task::stat(std::string_view name) {
  return system_call(*this, [&] { return stat_path(*this, AT_FDCWD, name, lookup_follow); });
}

result<kstat> task::lstat(std::string_view name) {
  return system_call(*this, [&] { return stat_path(*this, AT_FDCWD, name, 0); });
}

result<kstat> task::fstat(int fd) {
  return system_call(*this, [&]() -> result<kstat> {
    const fd_ref f = files->get(fd);
    if (!f) return fail(EBADF);
    return vfs_getattr(f->f_path);
  });
}

result<kstat> task::statx(at dir, std::string_view name, int flags, unsigned wanted) {
  return system_call(*this, [&]() -> result<kstat> {
    constexpr unsigned statx_reserved = 0x80000000u;
    constexpr int sync_type = AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | sync_type)) != 0) return fail(EINVAL);
    if ((flags & sync_type) == sync_type || (wanted & statx_reserved) != 0) return fail(EINVAL);
    return stat_path(*this, dir, name, lookup_flags_of(flags));
  });
}

result<kstatfs> task::statfs(std::string_view name) {
  return system_call(*this, [&]() -> result<kstatfs> {
    const path_ref p = XIP_TRY(user_path_at(*this, AT_FDCWD, name, lookup_follow));
    return vfs_statfs(p.get_inode().i_sb);
  });
}

result<kstatfs> task::fstatfs(at where) {
  return system_call(*this, [&]() -> result<kstatfs> { return vfs_statfs(XIP_TRY(place_of(*this, where)).get_inode().i_sb); });
}

result<std::string> task::readlink(std::string_view name) { return readlinkat(AT_FDCWD, name); }

result<std::string> task::readlinkat(at dir, std::string_view name) {
  return system_call(
      *this, [&]() -> result<std::string> { return read_link(XIP_TRY(user_path_at(*this, dir, name, lookup_empty)), name.empty()); });
}

namespace {

// Linux: do_faccessat, behind the look-up.
[[nodiscard]] result<> may_access(const path_ref& p, int mode) {
  const inode& i = p.get_inode();
  const bool executes_file = (mode & X_OK) != 0 && i.is_reg();
  if (executes_file && (i.i_sb.s_flags.load(std::memory_order_relaxed) & sb_noexec) != 0) return fail(EACCES);
  return inode_permission(i, static_cast<unsigned>(mode));
}

}  // namespace

result<> task::access(std::string_view name, int mode) { return faccessat(AT_FDCWD, name, mode, 0); }

result<> task::faccessat(at dir, std::string_view name, int mode, int flags) {
  return system_call(*this, [&]() -> result<> {
    if ((mode & ~(R_OK | W_OK | X_OK)) != 0) return fail(EINVAL);
    if ((flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return fail(EINVAL);
    std::optional<real_cred_scope> real;
    if ((flags & AT_EACCESS) == 0) real.emplace(*this);
    return may_access(XIP_TRY(user_path_at(*this, dir, name, lookup_flags_of(flags))), mode);
  });
}

result<node> task::lookup_node(at dir, std::string_view name, int flags) {
  return system_call(*this, [&]() -> result<node> {
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return fail(EINVAL);
    return node{XIP_TRY(user_path_at(*this, dir, name, lookup_flags_of(flags))).release()};
  });
}

result<node> task::node_of(int fd) {
  return system_call(*this, [&]() -> result<node> { return node{XIP_TRY(place_of(*this, fd)).release()}; });
}

// Between system calls, what has to be freed is freed in a context of the instance's.
void node::reset() noexcept {
  if (place_.mnt == nullptr) return;
  const path place = std::exchange(place_, {});
  if (current_task() != nullptr) return path_ref::adopt(place).reset();
  thread_context context;
  place.mnt->mnt_sb->s_kernel.internals().fill_context(context, "node");
  const current_scope scope{context};
  path_ref::adopt(place).reset();
}

const inode& node::get_inode() const noexcept { return *place_.dent->get_inode(); }

}  // namespace xip::vfs
