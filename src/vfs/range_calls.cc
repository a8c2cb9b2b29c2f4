// Calls on stretches of a file: truncate, ftruncate, fallocate, fiemap. Linux: fs/open.c, fs/ioctl.c.
#include <linux/falloc.h>

#include <xip/vfs/ops.h>

#include "vfs/attr.h"
#include "vfs/files_struct.h"
#include "vfs/hook.h"
#include "vfs/namei.h"
#include "vfs/permission.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

[[nodiscard]] bool has_flag(const inode& i, std::uint32_t flag) noexcept { return (i.i_flags.load(std::memory_order_relaxed) & flag) != 0; }

// Linux: vfs_truncate.
[[nodiscard]] result<> truncate_path(const path_ref& p, loff_t size) {
  inode& i = p.get_inode();
  if (i.is_dir()) return fail(EISDIR);
  if (!i.is_reg()) return fail(EINVAL);
  const write_access access = XIP_TRY(write_access::want(p.mnt()));
  XIP_TRY(inode_permission(i, may_write));
  if (has_flag(i, s_append)) return fail(EPERM);
  return truncate_inode(i, size, 0);
}

// One of them, or none: to allocate. Linux: FALLOC_FL_MODE_MASK.
constexpr int mode_mask =
    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE;

// Linux before 6.15 says EINVAL where COLLAPSE_RANGE, INSERT_RANGE or UNSHARE_RANGE comes with what does not go with it.
[[nodiscard]] result<> check_fallocate_mode(int mode) noexcept {
  if ((mode & ~(mode_mask | FALLOC_FL_KEEP_SIZE)) != 0) return fail(EOPNOTSUPP);
  const bool keep_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
  switch (mode & mode_mask) {
    case 0:
    case FALLOC_FL_UNSHARE_RANGE:
    case FALLOC_FL_ZERO_RANGE:
      return {};
    case FALLOC_FL_PUNCH_HOLE:
      return keep_size ? result<>{} : fail(EOPNOTSUPP);
    case FALLOC_FL_COLLAPSE_RANGE:
    case FALLOC_FL_INSERT_RANGE:
      return keep_size ? fail(EOPNOTSUPP) : result<>{};
    default:
      return fail(EOPNOTSUPP);
  }
}

// Linux: vfs_fallocate.
[[nodiscard]] result<> vfs_fallocate(file& f, int mode, loff_t offset, loff_t length) {
  if (offset < 0 || length <= 0) return fail(EINVAL);
  XIP_TRY(check_fallocate_mode(mode));
  if ((f.f_mode & fmode_write) == 0) return fail(EBADF);
  const inode& i = *f.f_inode;
  if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0 && has_flag(i, s_append)) return fail(EPERM);
  if (has_flag(i, s_immutable)) return fail(EPERM);
  if (i.is_dir()) return fail(EISDIR);
  if (!i.is_reg()) return fail(ENODEV);
  if (length > i.i_sb.s_maxbytes || offset > i.i_sb.s_maxbytes - length) return fail(EFBIG);
  if (f.f_op == nullptr || f.f_op->fallocate == nullptr) return fail(EOPNOTSUPP);
  return call_hook(hook::fallocate, f.f_op->fallocate, f, mode, offset, length);
}

struct fiemap_collector : fiemap_context {
  explicit fiemap_collector(std::vector<fiemap_extent>& o) noexcept : out{o} {
    fill = [](fiemap_context& ctx, const fiemap_extent& e) {
      auto& self = static_cast<fiemap_collector&>(ctx);
      try {
        self.out.push_back(e);
      } catch (const std::bad_alloc&) {
        self.out_of_memory = true;
      }
      return !self.out_of_memory;
    };
  }
  std::vector<fiemap_extent>& out;
  bool out_of_memory = false;
};

[[nodiscard]] result<> vfs_fiemap(inode& i, loff_t start, std::uint64_t length, std::vector<fiemap_extent>& out) {
  if (i.i_op == nullptr || i.i_op->fiemap == nullptr) return fail(EOPNOTSUPP);
  if (length == 0 || start < 0) return fail(EINVAL);
  const auto limit = static_cast<std::uint64_t>(i.i_sb.s_maxbytes);
  if (static_cast<std::uint64_t>(start) > limit) return fail(EFBIG);
  out.clear();
  fiemap_collector collector{out};
  XIP_TRY(call_hook(hook::fiemap, i.i_op->fiemap, i, collector, start, std::min(length, limit - static_cast<std::uint64_t>(start))));
  if (collector.out_of_memory) return fail(ENOMEM);
  return {};
}

}  // namespace

result<> task::truncate(std::string_view name, loff_t size) { return truncateat(AT_FDCWD, name, size, 0); }

result<> task::truncateat(at dir, std::string_view name, loff_t size, int flags) {
  return system_call(*this, [&]() -> result<> {
    if (size < 0 || (flags & ~AT_EMPTY_PATH) != 0) return fail(EINVAL);
    return truncate_path(XIP_TRY(user_path_at(*this, dir, name, lookup_flags_of(flags))), size);
  });
}

result<> task::ftruncate(int fd, loff_t size) {
  return system_call(*this, [&]() -> result<> {
    if (size < 0) return fail(EINVAL);
    const fd_ref f = files->get(fd);
    if (!f || (f->f_mode & fmode_path) != 0) return fail(EBADF);
    if (!f->f_inode->is_reg() || (f->f_mode & fmode_write) == 0) return fail(EINVAL);
    if (has_flag(*f->f_inode, s_append)) return fail(EPERM);
    return truncate_inode(*f->f_inode, size, attr_mtime | attr_ctime);
  });
}

result<> task::fallocate(int fd, int mode, loff_t offset, loff_t length) {
  return system_call(*this, [&]() -> result<> {
    const fd_ref f = files->get(fd);
    if (!f || (f->f_mode & fmode_path) != 0) return fail(EBADF);
    return vfs_fallocate(*f, mode, offset, length);
  });
}

result<> task::fiemap(int fd, loff_t start, std::uint64_t length, std::vector<fiemap_extent>& out) {
  return system_call(*this, [&]() -> result<> {
    const fd_ref f = files->get(fd);
    if (!f || (f->f_mode & fmode_path) != 0) return fail(EBADF);
    return vfs_fiemap(*f->f_inode, start, length, out);
  });
}

}  // namespace xip::vfs
