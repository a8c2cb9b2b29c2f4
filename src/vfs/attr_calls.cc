// Calls that change attributes: chmod, chown, utimensat and their kin. Linux: fs/open.c, fs/utimes.c.
#include <xip/vfs/ops.h>

#include "vfs/attr.h"
#include "vfs/files_struct.h"
#include "vfs/namei.h"
#include "vfs/permission.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

// ACT(inode) on what DIR and NAME mean, with write access to its mount.
template <class Act>
[[nodiscard]] result<> change_path(task& t, const at& dir, std::string_view name, int at_flags, Act&& act) {
  if ((at_flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return fail(EINVAL);
  const path_ref p = XIP_TRY(user_path_at(t, dir, name, lookup_flags_of(at_flags)));
  const write_access access = XIP_TRY(write_access::want(p.mnt()));
  return act(p.get_inode());
}

template <class Act>
[[nodiscard]] result<> change_fd(task& t, int fd, Act&& act) {
  const fd_ref f = t.files->get(fd);
  if (!f || (f->f_mode & fmode_path) != 0) return fail(EBADF);
  const write_access access = XIP_TRY(write_access::want(*f->f_path.mnt));
  return act(*f->f_inode);
}

[[nodiscard]] result<> chmod_inode(inode& i, unsigned mode) {
  if (i.is_symlink()) return fail(EOPNOTSUPP);
  const std::uint32_t type = i.i_mode.load(std::memory_order_relaxed) & S_IFMT;
  return notify_change(i, {.ia_valid = attr_mode | attr_ctime, .ia_mode = type | (mode & 07777)});
}

// A file that changes hands loses its set-id bits and its capabilities, even when root does it; a set-group-ID without execution is a lock, not a privilege.
[[nodiscard]] result<> chown_inode(inode& i, std::uint32_t uid, std::uint32_t gid) {
  constexpr std::uint32_t leave = ~0u;
  iattr attr{.ia_valid = attr_ctime, .ia_uid = uid, .ia_gid = gid};
  if (uid != leave) attr.ia_valid |= attr_uid;
  if (gid != leave) attr.ia_valid |= attr_gid;
  if (!i.is_dir()) attr.ia_valid |= attr_kill_suid | attr_kill_sgid | attr_kill_priv;
  return notify_change(i, attr);
}

[[nodiscard]] bool valid_time(const timespec64& t) noexcept {
  return t.nanoseconds < 1'000'000'000 || t.nanoseconds == UTIME_NOW || t.nanoseconds == UTIME_OMIT;
}

// Both now: whoever may write. Anything else: the owner. Linux: vfs_utimes.
[[nodiscard]] result<> utimes_inode(inode& i, const timespec64* times) {
  iattr attr{.ia_valid = attr_ctime | attr_atime | attr_mtime};
  if (times == nullptr || (times[0].nanoseconds == UTIME_NOW && times[1].nanoseconds == UTIME_NOW)) {
    attr.ia_valid |= attr_touch;
    return notify_change(i, attr);
  }
  const timespec64 now = current_time();
  if (times[0].nanoseconds == UTIME_OMIT) attr.ia_valid &= ~attr_atime;
  if (times[1].nanoseconds == UTIME_OMIT) attr.ia_valid &= ~attr_mtime;
  attr.ia_atime = times[0].nanoseconds == UTIME_NOW ? now : times[0];
  attr.ia_mtime = times[1].nanoseconds == UTIME_NOW ? now : times[1];
  attr.ia_valid |= attr_times_set;
  return notify_change(i, attr);
}

// Nothing to do: not even the path is looked at.
[[nodiscard]] bool omits_both(const timespec64* times) noexcept {
  return times != nullptr && times[0].nanoseconds == UTIME_OMIT && times[1].nanoseconds == UTIME_OMIT;
}
[[nodiscard]] bool valid_times(const timespec64* times) noexcept {
  return times == nullptr || (valid_time(times[0]) && valid_time(times[1]));
}

}  // namespace

result<> task::chmod(std::string_view name, unsigned mode) { return fchmodat(AT_FDCWD, name, mode); }

result<> task::fchmodat(at dir, std::string_view name, unsigned mode, int flags) {
  return system_call(*this, [&] { return change_path(*this, dir, name, flags, [&](inode& i) { return chmod_inode(i, mode); }); });
}

result<> task::fchmod(int fd, unsigned mode) {
  return system_call(*this, [&] { return change_fd(*this, fd, [&](inode& i) { return chmod_inode(i, mode); }); });
}

result<> task::chown(std::string_view name, std::uint32_t uid, std::uint32_t gid) { return fchownat(AT_FDCWD, name, uid, gid, 0); }
result<> task::lchown(std::string_view name, std::uint32_t uid, std::uint32_t gid) {
  return fchownat(AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

result<> task::fchownat(at dir, std::string_view name, std::uint32_t uid, std::uint32_t gid, int flags) {
  return system_call(*this, [&] { return change_path(*this, dir, name, flags, [&](inode& i) { return chown_inode(i, uid, gid); }); });
}

result<> task::fchown(int fd, std::uint32_t uid, std::uint32_t gid) {
  return system_call(*this, [&] { return change_fd(*this, fd, [&](inode& i) { return chown_inode(i, uid, gid); }); });
}

result<> task::utimensat(at dir, std::string_view name, const timespec64 times[2], int flags) {
  return system_call(*this, [&]() -> result<> {
    if (omits_both(times)) return {};
    return change_path(*this, dir, name, flags, [&](inode& i) { return valid_times(times) ? utimes_inode(i, times) : fail(EINVAL); });
  });
}

result<> task::futimens(int fd, const timespec64 times[2]) {
  return system_call(*this, [&]() -> result<> {
    if (omits_both(times)) return {};
    return change_fd(*this, fd, [&](inode& i) { return valid_times(times) ? utimes_inode(i, times) : fail(EINVAL); });
  });
}

}  // namespace xip::vfs
