#include "fuse/request.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include "fuse/connection.h"

namespace xip::fuse {
namespace {

// The host's kernel has compared modes, ids, groups and capabilities before it asks (default_permissions), knowing all of them; here it is only asked whether
// the file system allows it at all. But blocks that are kept for root are for root.
constexpr vfs::capability_set checked = vfs::all_capabilities;
constexpr vfs::capability_set checked_for_user = checked & ~vfs::capability_bit(CAP_SYS_RESOURCE);

}  // namespace

worker*& this_worker() noexcept {
  static thread_local worker* here = nullptr;
  return here;
}

request::request(fuse_req_t req) noexcept : worker_{*this_worker()} {
  const fuse_ctx& context = *fuse_req_ctx(req);
  vfs::task& t = *worker_.task;
  t.who.uid = context.uid;
  t.who.gid = context.gid;
  vfs::capability_set capabilities = context.uid == 0 ? checked : checked_for_user;
  if (kills_privileges()) capabilities &= ~vfs::capability_bit(CAP_FSETID);
  t.who.capabilities = capabilities;
  t.mask = context.umask & 0777;
}

struct ::stat host_stat(const vfs::kstat& from) noexcept {
  const auto time = [](const vfs::timespec64& t) { return timespec{t.seconds, static_cast<long>(t.nanoseconds)}; };
  struct ::stat s{};
  s.st_dev = from.dev;
  s.st_ino = from.ino;
  s.st_mode = from.mode;
  s.st_nlink = from.nlink;
  s.st_uid = from.uid;
  s.st_gid = from.gid;
  s.st_rdev = from.rdev;
  s.st_size = from.size;
  s.st_blksize = from.blksize;
  s.st_blocks = static_cast<blkcnt_t>(from.blocks);
  s.st_atim = time(from.atime);
  s.st_mtim = time(from.mtime);
  s.st_ctim = time(from.ctime);
  return s;
}

result<fuse_entry_param> request::entry_of(vfs::node place) {
  fuse_entry_param entry{};
  entry.attr = host_stat(XIP_TRY(task().statx(place, {}, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS)));
  entry.generation = place.get_inode().i_generation;
  entry.attr_timeout = entry.entry_timeout = forever;
  entry.ino = XIP_TRY(owner().inodes.remember(std::move(place)));
  return entry;
}

result<fuse_entry_param> request::entry_of(const vfs::node& directory, const char* name) {
  return entry_of(XIP_TRY(task().lookup_node(directory, name, AT_SYMLINK_NOFOLLOW)));
}

}  // namespace xip::fuse
