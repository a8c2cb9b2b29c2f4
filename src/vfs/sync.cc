// Making things durable. Linux: fs/sync.c.
#include <xip/vfs/ops.h>

#include "vfs/attr.h"
#include "vfs/files_struct.h"
#include "vfs/hook.h"
#include "vfs/kernel_impl.h"
#include "vfs/syscall.h"

namespace xip::vfs {

// What failed in the background since this open file last asked is reported now, once.
result<> vfs_fsync_range(file& f, loff_t start, loff_t end, bool datasync) {
  if (f.f_op == nullptr || f.f_op->fsync == nullptr) return fail(EINVAL);
  auto done = call_hook(hook::fsync, f.f_op->fsync, f, start, end, datasync);
  const int earlier = errseq_check_and_advance(f.f_inode->i_mapping, f.f_wb_err);
  if (done && earlier != 0) return fail(earlier);
  return done;
}

namespace {

[[nodiscard]] result<> fsync_fd(task& t, int fd, bool datasync) {
  const fd_ref f = t.files->get(fd);
  if (!f || (f->f_mode & fmode_path) != 0) return fail(EBADF);
  return vfs_fsync_range(*f, 0, INT64_MAX, datasync);
}

}  // namespace

result<> task::fsync(int fd) {
  return system_call(*this, [&] { return fsync_fd(*this, fd, false); });
}

result<> task::fdatasync(int fd) {
  return system_call(*this, [&] { return fsync_fd(*this, fd, true); });
}

result<> task::syncfs(int fd) {
  return system_call(*this, [&]() -> result<> {
    const fd_ref f = files->get(fd);
    if (!f || (f->f_mode & fmode_path) != 0) return fail(EBADF);
    return sync_filesystem(f->f_inode->i_sb);
  });
}

result<> sync_filesystem(super_block& sb) {
  shared_guard guard{sb.s_umount};
  return sb.s_op->sync_fs != nullptr ? call_hook(hook::sync_fs, sb.s_op->sync_fs, sb, true) : result<>{};
}

bool is_sync(const inode& i) noexcept {
  return (i.i_flags.load(std::memory_order_relaxed) & s_sync) != 0 ||
         (i.i_sb.s_flags.load(std::memory_order_relaxed) & sb_synchronous) != 0;
}

result<std::size_t> generic_write_sync(kiocb& iocb, loff_t pos, std::size_t bytes) {
  file& f = iocb.ki_filp;
  if (bytes == 0 || ((iocb.ki_flags & iocb_dsync) == 0 && !is_sync(*f.f_inode))) return bytes;
  if (f.f_op->fsync == nullptr) return bytes;
  const bool datasync = (iocb.ki_flags & iocb_sync) == 0;
  XIP_TRY(vfs_fsync_range(f, pos, pos + static_cast<loff_t>(bytes), datasync));
  return bytes;
}

}  // namespace xip::vfs
