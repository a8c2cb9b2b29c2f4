// The flags of chattr and lsattr, by ioctl. Linux: fs/ioctl.c, fs/file_attr.c.
#include <linux/fs.h>

#include <xip/vfs/ops.h>

#include "vfs/files_struct.h"
#include "vfs/hook.h"
#include "vfs/mount.h"
#include "vfs/permission.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

// Flags that both forms have. Linux: FS_COMMON_FL, FS_XFLAG_COMMON.
struct flag_pair {
  std::uint32_t flag, xflag;
};
constexpr std::uint32_t dax_flag = 0x02000000;  // FS_DAX_FL
constexpr flag_pair pairs[] = {
    {FS_SYNC_FL, FS_XFLAG_SYNC},
    {FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE},
    {FS_APPEND_FL, FS_XFLAG_APPEND},
    {FS_NODUMP_FL, FS_XFLAG_NODUMP},
    {FS_NOATIME_FL, FS_XFLAG_NOATIME},
    {dax_flag, FS_XFLAG_DAX},
    {FS_PROJINHERIT_FL, FS_XFLAG_PROJINHERIT},
};

struct common_flags {
  std::uint32_t flags = 0, xflags = 0;
  constexpr common_flags() {
    for (const flag_pair& p : pairs) {
      flags |= p.flag;
      xflags |= p.xflag;
    }
  }
};
constexpr common_flags common;

[[nodiscard]] result<> vfs_fileattr_get(inode& i, fileattr& fa) {
  if (i.i_op == nullptr || i.i_op->fileattr_get == nullptr) return fail(ENOTTY);
  return call_hook(hook::fileattr_get, i.i_op->fileattr_get, i, fa);
}

[[nodiscard]] result<> vfs_fileattr_set(file& f, const fileattr& fa) {
  const write_access access = XIP_TRY(write_access::want(*f.f_path.mnt));
  inode& i = *f.f_inode;
  if (i.i_op == nullptr || i.i_op->fileattr_set == nullptr) return fail(ENOTTY);
  if (!owner_or_capable(i)) return fail(EPERM);
  return call_hook(hook::fileattr_set, i.i_op->fileattr_set, i, fa);
}

[[nodiscard]] result<> file_ioctl(file& f, unsigned long request, void* argument) {
  fileattr fa;
  switch (request) {
    case FS_IOC_GETFLAGS:
      XIP_TRY(vfs_fileattr_get(*f.f_inode, fa));
      *static_cast<unsigned*>(argument) = fa.flags;
      return {};
    case FS_IOC_SETFLAGS:
      fileattr_fill_flags(fa, *static_cast<const unsigned*>(argument));
      return vfs_fileattr_set(f, fa);
    case FS_IOC_FSGETXATTR:
      XIP_TRY(vfs_fileattr_get(*f.f_inode, fa));
      *static_cast<fsxattr*>(argument) = {.fsx_xflags = fa.fsx_xflags, .fsx_projid = fa.fsx_projid};
      return {};
    case FS_IOC_FSSETXATTR:
      fileattr_fill_xflags(fa, static_cast<const fsxattr*>(argument)->fsx_xflags);
      fa.fsx_projid = static_cast<const fsxattr*>(argument)->fsx_projid;
      return vfs_fileattr_set(f, fa);
    case FS_IOC_GETVERSION:
      *static_cast<unsigned*>(argument) = f.f_inode->i_generation;
      return {};
    case FICLONE:
    case FICLONERANGE:
      return fail(EOPNOTSUPP);  // no file system here shares blocks between files
    default:
      return fail(ENOTTY);
  }
}

}  // namespace

void fileattr_fill_flags(fileattr& fa, std::uint32_t flags) noexcept {
  fa.flags_valid = true;
  fa.flags = flags;
  for (const flag_pair& p : pairs)
    if ((flags & p.flag) != 0) fa.fsx_xflags |= p.xflag;
}

void fileattr_fill_xflags(fileattr& fa, std::uint32_t xflags) noexcept {
  fa.fsx_valid = true;
  fa.fsx_xflags = xflags;
  for (const flag_pair& p : pairs)
    if ((xflags & p.xflag) != 0) fa.flags |= p.flag;
}

result<> fileattr_set_prepare(const inode& i, const fileattr& old, fileattr& fa) noexcept {
  if (fa.flags_valid) {
    fa.fsx_xflags |= old.fsx_xflags & ~common.xflags;
    fa.fsx_projid = old.fsx_projid;
  } else {
    fa.flags |= old.flags & ~common.flags;
  }
  if (((fa.flags ^ old.flags) & (FS_APPEND_FL | FS_IMMUTABLE_FL)) != 0 && !capable(CAP_LINUX_IMMUTABLE)) return fail(EPERM);
  if ((fa.fsx_xflags & FS_XFLAG_EXTSIZE) != 0 && !i.is_reg()) return fail(EINVAL);
  if ((fa.fsx_xflags & FS_XFLAG_EXTSZINHERIT) != 0 && !i.is_dir()) return fail(EINVAL);
  if ((fa.fsx_xflags & FS_XFLAG_DAX) != 0 && !i.is_reg() && !i.is_dir()) return fail(EINVAL);
  return {};
}

result<> task::ioctl(int fd, unsigned long request, void* argument) {
  return system_call(*this, [&]() -> result<> {
    const fd_ref f = files->get(fd);
    if (!f || (f->f_mode & fmode_path) != 0) return fail(EBADF);
    return file_ioctl(*f, request, argument);
  });
}

}  // namespace xip::vfs
