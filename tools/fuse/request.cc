#include "fuse/request.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <new>

#include <fcntl.h>
#include <sys/sysmacros.h>

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
  t.who.capabilities = context.uid == 0 ? checked : checked_for_user;
  t.who.groups.clear();
  t.mask = context.umask & 0777;
}

// Some rules on set-group-ID bits have an exception for those in the group, and no request says who is.
void request::give_up_set_id_bits(const vfs::node& place, fuse_req_t req) {
  vfs::task& t = task();
  t.who.capabilities = *t.who.capabilities & ~vfs::capability_bit(CAP_FSETID);
  const std::uint32_t mode = place.get_inode().i_mode.load(std::memory_order_relaxed);
  if ((mode & S_ISGID) == 0) return;
  // The count is of all groups, also of those that found no room.
  std::vector<gid_t> groups(32);
  int count = fuse_req_getgroups(req, static_cast<int>(groups.size()), groups.data());
  if (count > static_cast<int>(groups.size())) {
    groups.resize(static_cast<std::size_t>(count));
    count = std::min(fuse_req_getgroups(req, count, groups.data()), count);
  }
  if (count == -ENOMEM) throw std::bad_alloc{};  // not as if there were none: nothing has been done yet
  if (count > 0) t.who.groups.assign(groups.begin(), groups.begin() + count);
}

void request::close(fuse_ino_t number, const fuse_file_info& info) noexcept {
  if (opens_for_writing(info)) owner().inodes.drop_writer(number);
  static_cast<void>(task().close(static_cast<int>(info.fh)));
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
  entry.ino = XIP_TRY(owner().inodes.remember(std::move(place), spare_));
  return entry;
}

result<fuse_entry_param> request::entry_of(const vfs::node& directory, const char* name) {
  return entry_of(XIP_TRY(task().lookup_node(directory, name, AT_SYMLINK_NOFOLLOW)));
}

}  // namespace xip::fuse
