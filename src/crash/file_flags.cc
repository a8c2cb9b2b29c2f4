#include "crash/file_flags.h"

#include <cerrno>

#include <linux/fs.h>

namespace xip::crash {
namespace {

static_assert(syncs_flag == FS_SYNC_FL && syncs_names_flag == FS_DIRSYNC_FL);
constexpr unsigned durable = syncs_flag | syncs_names_flag;

}  // namespace

result<std::uint32_t> durable_flags(vfs::task& t, int fd) {
  unsigned flags = 0;
  if (const auto known = t.ioctl(fd, FS_IOC_GETFLAGS, &flags); !known && known.error() != ENOTTY) return fail(known.error());
  return flags & durable;
}

result<> set_durable_flags(vfs::task& t, int fd, std::uint32_t flags) {
  unsigned all = 0;
  XIP_TRY(t.ioctl(fd, FS_IOC_GETFLAGS, &all));
  all = (all & ~durable) | flags;
  return t.ioctl(fd, FS_IOC_SETFLAGS, &all);
}

}  // namespace xip::crash
