// Contents of files.
#include <algorithm>
#include <cstring>

#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include "fuse/connection.h"
#include "fuse/remount.h"
#include "fuse/request.h"

namespace xip::fuse {
namespace {

[[nodiscard]] int fd_of(const fuse_file_info& info) noexcept { return static_cast<int>(info.fh); }

// What the kernel sees to itself: where an appended byte goes (it may also write back a page through any descriptor), and that O_DIRECT stays off its page cache.
constexpr int kept_by_kernel = O_APPEND | O_DIRECT | O_CREAT | O_EXCL | O_NOCTTY;

// A file that can only be appended to opens for nothing else. Its descriptor would append a page that is written back, too: it is not to be mapped for
// stores, which Linux refuses as well.
[[nodiscard]] result<int> open_place(request& r, const vfs::node& place, fuse_file_info& info) {
  auto fd = r.task().openat(place, {}, info.flags & ~kept_by_kernel);
  if (fd.has_value() || fd.error() != EPERM || (info.flags & O_APPEND) == 0) return fd;
  info.direct_io = 1;
  return r.task().openat(place, {}, (info.flags & ~kept_by_kernel) | O_APPEND);
}

// What the kernel has cached of the file stays right, and closing one has nothing to say.
void fill_in(const request& r, fuse_file_info& info, int fd) noexcept {
  if (r.owner().direct_io) info.direct_io = 1;
  info.fh = static_cast<std::uint64_t>(fd);
  info.keep_cache = 1;
  info.noflush = 1;
}

void open(fuse_req_t req, fuse_ino_t number, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<open_answer> {
    const vfs::node& place = *XIP_TRY(r.place(number));
    if (kills_privileges()) r.give_up_set_id_bits(place, req);
    fill_in(r, *info, XIP_TRY(open_place(r, place, *info)));
    if (opens_for_writing(*info)) r.owner().inodes.add_writer(number);
    return open_answer{number, *info};
  });
}

[[nodiscard]] result<int> make(request& r, const vfs::node& directory, const char* name, mode_t mode, int flags) {
  if (name == tmpfile_name) return r.task().openat(directory, ".", (flags & ~kept_by_kernel) | O_TMPFILE | (flags & O_EXCL), mode);
  return r.task().openat(directory, name, (flags & ~kept_by_kernel) | O_CREAT | O_NOFOLLOW | (flags & O_EXCL), mode);
}

void create(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<create_answer> {
    const vfs::node& directory = *XIP_TRY(r.place(parent));
    XIP_TRY(r.make_room());
    const int fd = XIP_TRY(make(r, directory, name, mode, info->flags));
    fill_in(r, *info, fd);
    auto entry = [&]() -> result<fuse_entry_param> { return r.entry_of(XIP_TRY(r.task().node_of(fd))); }();
    if (!entry.has_value()) static_cast<void>(r.task().close(fd));
    if (entry.has_value() && opens_for_writing(*info)) r.owner().inodes.add_writer(entry->ino);
    return create_answer{XIP_TRY(std::move(entry)), *info};
  });
}

void release(fuse_req_t req, fuse_ino_t number, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<done_answer> {
    r.close(number, *info);
    return done_answer{};
  });
}

// The kernel takes the bytes from the image's own memory while the file holds still.
struct direct_reply : vfs::splice_sink {
  direct_reply(fuse_req_t to, request& r) noexcept : req{to}, asked{r} { take = hand_over; }

  static result<> hand_over(splice_sink& sink, std::span<const iovec> pieces, std::size_t) {
    auto& self = static_cast<direct_reply&>(sink);
    if (met_lost_memory()) return fail(EIO);
    self.asked.set_answered();
    static_cast<void>(fuse_reply_iov(self.req, pieces.data(), static_cast<int>(pieces.size())));
    return {};
  }

  fuse_req_t req;
  request& asked;
};

// All that there is of TO: fewer bytes than asked for are the end of the file to the kernel, never a place that cannot be read.
[[nodiscard]] result<std::size_t> read_fully(vfs::task& t, int fd, std::span<std::byte> to, off_t offset) {
  std::size_t done = 0;
  while (done < to.size()) {
    const std::size_t more = XIP_TRY(t.pread(fd, to.data() + done, to.size() - done, offset + static_cast<off_t>(done)));
    if (more == 0) break;
    done += more;
  }
  return done;
}

void read(fuse_req_t req, fuse_ino_t, std::size_t bytes, off_t offset, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<read_answer> {
    direct_reply direct{req, r};
    const auto spliced = r.task().splice_read(fd_of(*info), offset, bytes, direct);
    if (r.answered()) return read_answer{};
    if (!spliced.has_value() && spliced.error() != EOPNOTSUPP) return fail(spliced.error());
    const auto to = r.bytes().first(std::min(bytes, r.bytes().size()));
    return read_answer{to.first(XIP_TRY(read_fully(r.task(), fd_of(*info), to, offset)))};
  });
}

// A page that was stored into goes where it came from or nowhere: a descriptor that appends would put it at the end.
[[nodiscard]] result<> check_write_back(request& r, const fuse_file_info& info) {
  if (info.writepage == 0) return {};
  if ((XIP_TRY(r.task().fcntl(fd_of(info), F_GETFL)) & O_APPEND) != 0) return fail(EPERM);
  return {};
}

void write(fuse_req_t req, fuse_ino_t, const char* from, std::size_t bytes, off_t offset, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<written_answer> {
    XIP_TRY(check_write_back(r, *info));
    return written_answer{XIP_TRY(r.task().pwrite(fd_of(*info), from, bytes, offset))};
  });
}

void fsync(fuse_req_t req, fuse_ino_t, int datasync, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<done_answer> {
    XIP_TRY(datasync != 0 ? r.task().fdatasync(fd_of(*info)) : r.task().fsync(fd_of(*info)));
    return done_answer{};
  });
}

void fallocate(fuse_req_t req, fuse_ino_t, int mode, off_t offset, off_t length, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<done_answer> {
    XIP_TRY(r.task().fallocate(fd_of(*info), mode, offset, length));
    return done_answer{};
  });
}

// One piece of data from the first byte to the last.
[[nodiscard]] result<position_answer> seek_without_holes(request& r, fuse_ino_t number, off_t offset, int whence) {
  const vfs::node& place = *XIP_TRY(r.place(number));
  const auto status = XIP_TRY(r.task().statx(place, {}, AT_EMPTY_PATH, STATX_SIZE));
  const auto size = static_cast<off_t>(status.size);
  if (offset < 0 || offset >= size) return fail(ENXIO);
  return position_answer{whence == SEEK_DATA ? offset : size};
}

// The kernel asks without giving up pages that were stored into through a mapping: a hole of the file may be data by now.
void lseek(fuse_req_t req, fuse_ino_t number, off_t offset, int whence, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<position_answer> {
    const bool by_contents = whence == SEEK_DATA || whence == SEEK_HOLE;
    if (by_contents && r.owner().inodes.has_writers(number)) return seek_without_holes(r, number, offset, whence);
    return position_answer{XIP_TRY(r.task().lseek(fd_of(*info), offset, whence))};
  });
}

// Copies through the worker's memory: one round trip for the whole range. What was copied counts, as with write.
// A source whose pages may be newer in the kernel, which does not give them up first, is the kernel's to copy: it does so behind EOPNOTSUPP.
void copy_file_range(fuse_req_t req, fuse_ino_t source, off_t from, fuse_file_info* in, fuse_ino_t, off_t to, fuse_file_info* out,
                     std::size_t bytes, int) {
  answer(req, [&](request& r) -> result<written_answer> {
    if (r.owner().inodes.has_writers(source)) return fail(EOPNOTSUPP);
    std::size_t copied = 0;
    result<> stopped;
    constexpr std::size_t most = std::size_t{4} << 20;  // so that nobody else waits long for this thread, or for the two files
    bytes = std::min(bytes, most);
    while (copied < bytes) {
      const std::size_t piece = std::min(bytes - copied, r.bytes().size());
      const auto read = r.task().pread(fd_of(*in), r.bytes().data(), piece, from + static_cast<off_t>(copied));
      if (!read.has_value()) stopped = fail(read.error());
      if (!read.has_value() || *read == 0) break;
      const auto written = r.task().pwrite(fd_of(*out), r.bytes().data(), *read, to + static_cast<off_t>(copied));
      if (!written.has_value()) stopped = fail(written.error());
      if (!written.has_value()) break;
      copied += *written;
      if (*written < *read) break;
    }
    if (copied == 0) XIP_TRY(stopped);
    return written_answer{copied};
  });
}

// The root's own: only who may mount and unmount asks for it.
[[nodiscard]] result<ioctl_answer> remount_root(request& r, fuse_req_t req, fuse_ino_t number, const void* in, std::size_t in_bytes) {
  if (number != FUSE_ROOT_ID || in_bytes != sizeof(remount_message)) return fail(ENOTTY);
  if (const uid_t uid = fuse_req_ctx(req)->uid; uid != 0 && uid != ::geteuid()) return fail(EPERM);
  remount_message message;
  std::memcpy(&message, in, sizeof message);
  const int code = serve_remount(r.owner(), message);
  std::memcpy(r.bytes().data(), &message, sizeof message);
  return ioctl_answer{r.bytes().first(sizeof message), code};
}

// chattr and its kin. The kernel has checked who may, and says how much room there is.
void ioctl(fuse_req_t req, fuse_ino_t number, unsigned command, void*, fuse_file_info* info, unsigned flags, const void* in,
           std::size_t in_bytes, std::size_t out_bytes) {
  answer(req, [&](request& r) -> result<ioctl_answer> {
    if (command == remount_command) return remount_root(r, req, number, in, in_bytes);
    const std::size_t needed = command == FS_IOC_FSGETXATTR || command == FS_IOC_FSSETXATTR ? sizeof(fsxattr) : sizeof(unsigned);
    const std::size_t room = std::max(in_bytes, out_bytes);
    if ((flags & FUSE_IOCTL_COMPAT) != 0 || room < needed || room > r.bytes().size()) return fail(ENOTTY);
    std::memset(r.bytes().data(), 0, room);
    if (in_bytes != 0) std::memcpy(r.bytes().data(), in, in_bytes);
    XIP_TRY(r.task().ioctl(fd_of(*info), command, r.bytes().data()));
    // The kernel does not expect that to change the time.
    if (command == FS_IOC_SETFLAGS || command == FS_IOC_FSSETXATTR) fuse_lowlevel_notify_inval_inode(r.owner().session, number, -1, 0);
    return ioctl_answer{r.bytes().first(out_bytes), 0};
  });
}

}  // namespace

void add_file_operations(fuse_lowlevel_ops& table) noexcept {
  table.open = open;
  table.create = create;
  table.release = release;
  table.read = read;
  table.write = write;
  table.fsync = fsync;
  table.fallocate = fallocate;
  table.lseek = lseek;
  table.copy_file_range = copy_file_range;
  table.ioctl = ioctl;
}

}  // namespace xip::fuse
