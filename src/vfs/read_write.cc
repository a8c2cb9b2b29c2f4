// read, write and their kin. Linux: fs/read_write.c, mm/filemap.c (generic_write_checks).
//
// Nothing is allocated on the way, and no lock is taken but f_pos_lock by those that use the file position. The file system's hook takes the inode's.
#include <algorithm>
#include <climits>

#include <sys/uio.h>

#include <xip/vfs/iov_iter.h>
#include <xip/vfs/ops.h>

#include "vfs/files_struct.h"
#include "vfs/hook.h"
#include "vfs/kernel_impl.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

constexpr std::size_t max_rw_count = 0x7ffff000;  // Linux moves no more in one call
constexpr std::size_t iov_max = 1024;             // UIO_MAXIOV
constexpr int known_rwf = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND;

// The memory of one call: BYTES is what the caller asked for, uncut.
struct user_buffer {
  std::span<const iovec> segments;
  std::size_t bytes;
};

[[nodiscard]] result<user_buffer> import_iovec(const iovec* iov, int count) noexcept {
  if (count < 0 || static_cast<std::size_t>(count) > iov_max) return fail(EINVAL);
  std::size_t bytes = 0;
  const std::span segments{iov, static_cast<std::size_t>(count)};
  for (const iovec& segment : segments) {
    if (segment.iov_len > SSIZE_MAX) return fail(EINVAL);
    bytes = std::min(bytes + segment.iov_len, max_rw_count);
  }
  return user_buffer{segments, bytes};
}

// Linux: rw_verify_area.
[[nodiscard]] result<> verify_area(loff_t pos, std::size_t bytes) noexcept {
  if (bytes > SSIZE_MAX || pos < 0) return fail(EINVAL);
  if (static_cast<loff_t>(bytes) > INT64_MAX - pos) return fail(EINVAL);
  return {};
}

[[nodiscard]] std::uint32_t iocb_flags_of_rwf(int flags) noexcept {
  std::uint32_t iocb = 0;
  if ((flags & RWF_NOWAIT) != 0) iocb |= iocb_nowait;
  if ((flags & RWF_DSYNC) != 0) iocb |= iocb_dsync;
  if ((flags & RWF_SYNC) != 0) iocb |= iocb_dsync | iocb_sync;
  if ((flags & RWF_APPEND) != 0) iocb |= iocb_append;
  return iocb;
}

// One request at POS, which moves on by what was moved.
[[nodiscard]] result<std::size_t> vfs_read(task& t, file& f, const user_buffer& to, loff_t& pos, int rwf = 0) {
  if ((f.f_mode & fmode_read) == 0) return fail(EBADF);
  if (f.f_op == nullptr || f.f_op->read_iter == nullptr) return fail(f.f_inode->is_dir() ? EISDIR : EINVAL);
  XIP_TRY(verify_area(pos, to.bytes));
  if ((rwf & ~known_rwf) != 0) [[unlikely]]
    return fail(EOPNOTSUPP);
  kiocb iocb{f, pos, f.f_iocb_flags.load(std::memory_order_relaxed) | iocb_flags_of_rwf(rwf), t.limits.fsize};
  iov_iter iter{iter_direction::dest, to.segments, std::min(to.bytes, max_rw_count), user_access_of(t)};
  const bool bypass = XIP_EXHIBIT(hook_bypassed) && f.f_inode->is_reg();
  const file_operations& ops = bypass ? *static_cast<const file_operations*>(exhibit_stand_in()) : *f.f_op;
  auto moved = call_hook(hook::read_iter, ops.read_iter, iocb, iter);
  if (moved) pos = iocb.ki_pos;
  return moved;
}

[[nodiscard]] result<std::size_t> vfs_write(task& t, file& f, const user_buffer& from, loff_t& pos, int rwf = 0) {
  if ((f.f_mode & fmode_write) == 0) return fail(EBADF);
  if (f.f_op == nullptr || f.f_op->write_iter == nullptr) return fail(EINVAL);
  XIP_TRY(verify_area(pos, from.bytes));
  if ((rwf & ~known_rwf) != 0) [[unlikely]]
    return fail(EOPNOTSUPP);
  kiocb iocb{f, pos, f.f_iocb_flags.load(std::memory_order_relaxed) | iocb_flags_of_rwf(rwf), t.limits.fsize};
  iov_iter iter{iter_direction::source, from.segments, std::min(from.bytes, max_rw_count), user_access_of(t)};
  auto moved = call_hook(hook::write_iter, f.f_op->write_iter, iocb, iter);
  if (moved) pos = iocb.ki_pos;
  return moved;
}

using vfs_transfer = result<std::size_t>(task&, file&, const user_buffer&, loff_t&, int);

// At the file's own position.
template <vfs_transfer& Transfer>
[[nodiscard]] result<std::size_t> transfer_at_f_pos(task& t, int fd, const user_buffer& buffer, int rwf = 0) {
  const fd_ref f = t.files->get(fd);
  if (!f) return fail(EBADF);
  if (XIP_EXHIBIT(position_unlocked)) {
    loff_t pos = f->f_pos;
    const auto moved = Transfer(t, *f, buffer, pos, rwf);
    f->f_pos = pos;
    return moved;
  }
  mutex_guard guard{f->f_pos_lock};
  return Transfer(t, *f, buffer, f->f_pos, rwf);
}

template <vfs_transfer& Transfer>
[[nodiscard]] result<std::size_t> transfer_at(task& t, int fd, const user_buffer& buffer, loff_t pos, int rwf = 0) {
  if (pos < 0) return fail(EINVAL);
  const fd_ref f = t.files->get(fd);
  if (!f) return fail(EBADF);
  return Transfer(t, *f, buffer, pos, rwf);
}

template <vfs_transfer& Transfer>
[[nodiscard]] result<std::size_t> transfer_vector(task& t, int fd, const iovec* iov, int count, loff_t pos, int rwf) {
  if (pos < -1) return fail(EINVAL);
  if (!t.files->get(fd)) return fail(EBADF);
  const user_buffer buffer = XIP_TRY(import_iovec(iov, count));
  return pos == -1 ? transfer_at_f_pos<Transfer>(t, fd, buffer, rwf) : transfer_at<Transfer>(t, fd, buffer, pos, rwf);
}

}  // namespace

result<std::size_t> task::read(int fd, void* to, std::size_t bytes) {
  return system_call(*this, [&] {
    const iovec segment{to, bytes};
    return transfer_at_f_pos<vfs_read>(*this, fd, {{&segment, 1}, bytes});
  });
}

result<std::size_t> task::write(int fd, const void* from, std::size_t bytes) {
  return system_call(*this, [&] {
    const iovec segment{const_cast<void*>(from), bytes};
    return transfer_at_f_pos<vfs_write>(*this, fd, {{&segment, 1}, bytes});
  });
}

result<std::size_t> task::pread(int fd, void* to, std::size_t bytes, loff_t pos) {
  return system_call(*this, [&] {
    const iovec segment{to, bytes};
    return transfer_at<vfs_read>(*this, fd, {{&segment, 1}, bytes}, pos);
  });
}

result<std::size_t> task::pwrite(int fd, const void* from, std::size_t bytes, loff_t pos) {
  return system_call(*this, [&] {
    const iovec segment{const_cast<void*>(from), bytes};
    return transfer_at<vfs_write>(*this, fd, {{&segment, 1}, bytes}, pos);
  });
}

result<std::size_t> task::readv(int fd, const iovec* iov, int count) { return preadv2(fd, iov, count, -1, 0); }
result<std::size_t> task::writev(int fd, const iovec* iov, int count) { return pwritev2(fd, iov, count, -1, 0); }

result<std::size_t> task::preadv2(int fd, const iovec* iov, int count, loff_t pos, int flags) {
  return system_call(*this, [&] { return transfer_vector<vfs_read>(*this, fd, iov, count, pos, flags); });
}

result<std::size_t> task::pwritev2(int fd, const iovec* iov, int count, loff_t pos, int flags) {
  return system_call(*this, [&] { return transfer_vector<vfs_write>(*this, fd, iov, count, pos, flags); });
}

result<std::size_t> task::splice_read(int fd, loff_t pos, std::size_t bytes, splice_sink& sink) {
  return system_call(*this, [&]() -> result<std::size_t> {
    const fd_ref f = files->get(fd);
    if (!f || (f->f_mode & fmode_read) == 0) return fail(EBADF);
    XIP_TRY(verify_area(pos, bytes));
    if (f->f_op == nullptr || f->f_op->splice_read == nullptr) return fail(EOPNOTSUPP);
    kiocb iocb{*f, pos, f->f_iocb_flags.load(std::memory_order_relaxed), limits.fsize};
    return call_hook(hook::splice_read, f->f_op->splice_read, iocb, std::min(bytes, max_rw_count), sink);
  });
}

// ---- lseek

namespace {

// Without a hook a file is data to its end. Linux: generic_file_llseek_size.
[[nodiscard]] result<loff_t> seek_whole_file(const inode& i, loff_t offset, int whence) noexcept {
  const loff_t size = i_size_read(i);
  if (offset < 0 || offset >= size) return fail(ENXIO);
  return whence == SEEK_DATA ? offset : size;
}

// Its positions are the file system's own.
[[nodiscard]] result<loff_t> end_of_directory(file& f) {
  if (f.f_op == nullptr || f.f_op->llseek == nullptr) return i_size_read(*f.f_inode);
  return call_hook(hook::llseek, f.f_op->llseek, f, 0, SEEK_END);
}

[[nodiscard]] result<loff_t> seek_target(file& f, loff_t offset, int whence) XIP_REQUIRES(f.f_pos_lock) {
  loff_t base = 0;
  switch (whence) {
    case SEEK_SET:
      break;
    case SEEK_CUR:
      base = f.f_pos;
      break;
    case SEEK_END:
      base = f.f_inode->is_dir() ? XIP_TRY(end_of_directory(f)) : i_size_read(*f.f_inode);
      break;
    case SEEK_DATA:
    case SEEK_HOLE:
      if (f.f_op != nullptr && f.f_op->llseek != nullptr) return call_hook(hook::llseek, f.f_op->llseek, f, offset, whence);
      return seek_whole_file(*f.f_inode, offset, whence);
    default:
      return fail(EINVAL);
  }
  loff_t target;
  if (__builtin_add_overflow(base, offset, &target)) return fail(EINVAL);
  return target;
}

}  // namespace

result<loff_t> task::lseek(int fd, loff_t offset, int whence) {
  return system_call(*this, [&]() -> result<loff_t> {
    const fd_ref f = files->get(fd);
    if (!f || (f->f_mode & fmode_lseek) == 0) return fail(EBADF);
    mutex_guard guard{f->f_pos_lock};
    const loff_t target = XIP_TRY(seek_target(*f, offset, whence));
    // A directory's positions are cookies, not bytes.
    const loff_t limit = f->f_inode->is_dir() ? INT64_MAX : f->f_inode->i_sb.s_maxbytes;
    if (target < 0 || target > limit) return fail(EINVAL);
    f->f_pos = target;
    return target;
  });
}

// ---- for the file systems' write_iter

result<std::size_t> generic_write_checks(kiocb& iocb, iov_iter& from) {
  if (from.count() == 0) return std::size_t{0};
  const inode& i = *iocb.ki_filp.f_inode;
  if ((iocb.ki_flags & iocb_append) != 0) iocb.ki_pos = i_size_read(i);
  if ((iocb.ki_flags & (iocb_nowait | iocb_direct)) == iocb_nowait) return fail(EINVAL);
  const loff_t limit = std::min(iocb.ki_fsize_limit, i.i_sb.s_maxbytes);
  if (iocb.ki_pos >= limit) return fail(EFBIG);
  from.truncate(static_cast<std::size_t>(limit - iocb.ki_pos));
  return from.count();
}

}  // namespace xip::vfs
