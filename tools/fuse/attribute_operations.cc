// Attributes of inodes and of the file system.
#include <fcntl.h>

#include "fuse/connection.h"
#include "fuse/request.h"

namespace xip::fuse {
namespace {

constexpr int itself = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;

[[nodiscard]] result<attributes_answer> attributes_of(request& r, const vfs::node& place) {
  return attributes_answer{host_stat(XIP_TRY(r.task().statx(place, {}, itself, STATX_BASIC_STATS)))};
}

void getattr(fuse_req_t req, fuse_ino_t number, fuse_file_info*) {
  answer(req, [&](request& r) -> result<attributes_answer> { return attributes_of(r, *XIP_TRY(r.place(number))); });
}

[[nodiscard]] vfs::timespec64 wanted_time(const timespec& t, int to_set, int set, int now) noexcept {
  if ((to_set & now) != 0) return {0, UTIME_NOW};
  if ((to_set & set) == 0) return {0, UTIME_OMIT};
  return {t.tv_sec, static_cast<std::uint32_t>(t.tv_nsec)};
}

[[nodiscard]] result<> set_times(request& r, const vfs::node& place, const struct ::stat& wanted, int to_set) {
  const vfs::timespec64 times[2] = {wanted_time(wanted.st_atim, to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW),
                                    wanted_time(wanted.st_mtim, to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW)};
  return r.task().utimensat(place, {}, times, itself);
}

// Linux's notify_change in the order of its effects: an owner that changes takes set-id bits away, a mode given beside it stands. To set nothing is what is
// left of a wish to take them away, be it for a write or a chown that names nobody.
[[nodiscard]] result<> set_attributes(request& r, const vfs::node& place, const struct ::stat& wanted, int to_set,
                                      const fuse_file_info* info) {
  vfs::task& t = r.task();
  if ((to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0 || to_set == 0) {
    const auto uid = (to_set & FUSE_SET_ATTR_UID) != 0 ? wanted.st_uid : ~0u;
    const auto gid = (to_set & FUSE_SET_ATTR_GID) != 0 ? wanted.st_gid : ~0u;
    XIP_TRY(t.fchownat(place, {}, uid, gid, itself));
  }
  if ((to_set & FUSE_SET_ATTR_SIZE) != 0)
    XIP_TRY(info != nullptr ? t.ftruncate(static_cast<int>(info->fh), wanted.st_size)
                            : t.truncateat(place, {}, wanted.st_size, AT_EMPTY_PATH));
  if ((to_set & FUSE_SET_ATTR_MODE) != 0) XIP_TRY(t.fchmodat(place, {}, wanted.st_mode & 07777, itself));
  constexpr int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW;
  if ((to_set & times) != 0) XIP_TRY(set_times(r, place, wanted, to_set));
  return {};
}

// Whether set-id bits go with the change: a truncation says so, a new owner takes them from all but root, who keeps a lock's.
[[nodiscard]] bool gives_up_set_id_bits(fuse_req_t req, int to_set) noexcept {
  if ((to_set & FUSE_SET_ATTR_SIZE) != 0) return kills_privileges();
  return fuse_req_ctx(req)->uid != 0 && ((to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0 || to_set == 0);
}

void setattr(fuse_req_t req, fuse_ino_t number, struct ::stat* wanted, int to_set, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<attributes_answer> {
    const vfs::node& place = *XIP_TRY(r.place(number));
    if (gives_up_set_id_bits(req, to_set)) r.give_up_set_id_bits(place, req);
    XIP_TRY(set_attributes(r, place, *wanted, to_set, info));
    return attributes_of(r, place);
  });
}

void statfs(fuse_req_t req, fuse_ino_t number) {
  answer(req, [&](request& r) -> result<statfs_answer> {
    const vfs::node& place = *XIP_TRY(r.place(number));
    const vfs::kstatfs s = XIP_TRY(r.task().fstatfs(place));
    struct ::statvfs v{};
    v.f_bsize = s.bsize;
    v.f_frsize = s.frsize;
    v.f_blocks = s.blocks;
    v.f_bfree = s.bfree;
    v.f_bavail = s.bavail;
    v.f_files = s.files;
    v.f_ffree = v.f_favail = s.ffree;
    v.f_namemax = s.namelen;
    return statfs_answer{v};
  });
}

}  // namespace

void add_attribute_operations(fuse_lowlevel_ops& table) noexcept {
  table.getattr = getattr;
  table.setattr = setattr;
  table.statfs = statfs;
}

}  // namespace xip::fuse
