#include "crash/play.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <sys/uio.h>

#include "crash/file_flags.h"

namespace xip::crash {
namespace {

constexpr unsigned file_mode = 0644, directory_mode = 0755;

std::string absolute(const std::string& path) { return "/" + path; }

int open_flags(std::uint32_t flags) noexcept {
  int of = (flags & flag_read) != 0 ? O_RDONLY : O_RDWR;
  if ((flags & flag_dsync) != 0) of |= O_DSYNC;
  if ((flags & flag_sync) != 0) of |= O_SYNC;
  if ((flags & flag_direct) != 0) of |= O_DIRECT;
  if ((flags & flag_append) != 0) of |= O_APPEND;
  if ((flags & flag_trunc) != 0) of |= O_TRUNC;
  if ((flags & flag_creat) != 0) of |= O_CREAT;
  return (flags & flag_tmpfile) != 0 ? of | O_TMPFILE : of;
}

unsigned rename_flags(std::uint32_t flags) noexcept {
  unsigned of = 0;
  if ((flags & flag_noreplace) != 0) of |= RENAME_NOREPLACE;
  if ((flags & flag_exchange) != 0) of |= RENAME_EXCHANGE;
  if ((flags & flag_whiteout) != 0) of |= RENAME_WHITEOUT;
  return of;
}

// A hole leaves the size alone, and the call asks for both to be said.
int range_mode(std::uint32_t flags) noexcept {
  int of = 0;
  if ((flags & flag_keep_size) != 0) of |= FALLOC_FL_KEEP_SIZE;
  if ((flags & flag_punch) != 0) of |= FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if ((flags & flag_zero) != 0) of |= FALLOC_FL_ZERO_RANGE;
  if ((flags & flag_collapse) != 0) of |= FALLOC_FL_COLLAPSE_RANGE;
  return (flags & flag_insert) != 0 ? of | FALLOC_FL_INSERT_RANGE : of;
}

std::vector<std::byte> content(std::size_t number, std::int64_t offset, std::int64_t length) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(length));
  for (std::int64_t i = 0; i < length; ++i) bytes[static_cast<std::size_t>(i)] = written_byte(number, offset + i);
  return bytes;
}

// What was not written is an error. With O_APPEND it goes behind the end, whatever its offset: where that is, another task decides too, so its bytes are those
// of offset 0.
result<> write_all(vfs::task& t, int fd, const step& s, std::size_t number) {
  const bool appends = (XIP_TRY(t.fcntl(fd, F_GETFL)) & O_APPEND) != 0;
  const std::vector<std::byte> bytes = content(number, appends ? 0 : s.offset, s.length);
  int rwf = 0;
  if (s.fd != step::by_path && (s.flags & flag_dsync) != 0) rwf |= RWF_DSYNC;
  if (s.fd != step::by_path && (s.flags & flag_sync) != 0) rwf |= RWF_SYNC;
  const iovec segment{const_cast<std::byte*>(bytes.data()), bytes.size()};
  const std::size_t done = XIP_TRY(t.pwritev2(fd, &segment, 1, s.offset, rwf));
  return done == bytes.size() ? result<>{} : fail(ENOSPC);
}

constexpr std::int64_t page_mask = static_cast<std::int64_t>(page_size) - 1;

// MAP_SHARED of the pages that S stores to.
result<mm::user_address> map_pages(vfs::task& t, int fd, const step& s, std::size_t bytes) {
  const int flags = (s.flags & flag_sync) != 0 ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;
  return mm::mmap(t, 0, bytes, PROT_READ | PROT_WRITE, flags, fd, s.offset & ~page_mask);
}

// A program would get a signal: EFAULT.
result<> store_at(vfs::task& t, mm::user_address at, const step& s, std::size_t number) {
  const std::vector<std::byte> bytes = content(number, s.offset, s.length);
  auto done = mm::store(t, at, bytes.data(), bytes.size());
  if (done && (s.flags & flag_sync) != 0) done = mm::persist(t, at, bytes.size());
  return done ? result<>{} : fail(EFAULT);
}

result<> sync_mapped(vfs::task& t, int fd) {
  const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(XIP_TRY(t.fstat(fd)).size, 1));
  const mm::user_address at = XIP_TRY(mm::mmap(t, 0, bytes, PROT_READ, MAP_SHARED, fd, 0));
  const result<> done = mm::msync(t, at, bytes, MS_SYNC);
  XIP_TRY(mm::munmap(t, at, bytes));
  return done;
}

// Of LETTERS, as a workload has them, and no others of those two.
result<> change_flags(vfs::task& t, const std::string& path, std::string_view letters) {
  const int fd = XIP_TRY(t.open(path, O_RDONLY));
  const std::uint32_t flags = (letters.contains('S') ? syncs_flag : 0u) | (letters.contains('D') ? syncs_names_flag : 0u);
  const result<> done = set_durable_flags(t, fd, flags);
  XIP_TRY(t.close(fd));
  return done;
}

// A directory, too, can be synced.
result<int> open_to_sync(vfs::task& t, const std::string& path) {
  if (auto fd = t.open(path, O_RDWR); fd || fd.error() != EISDIR) return fd;
  return t.open(path, O_RDONLY | O_DIRECTORY);
}

}  // namespace

int player::play(vfs::task& t, const step& s, std::size_t number) {
  const result<> done = call(t, s, number);
  return done ? 0 : done.error().number();
}

void player::close_all(vfs::task& t) {
  for (int number = 0; number < static_cast<int>(numbers); ++number) (void)close(t, number);
}

// CALL(fd) on the file that S names, which is opened for it where S names it by path.
template <class Call>
result<> player::on_file(vfs::task& t, const step& s, int flags, Call&& call) {
  if (s.fd != step::by_path) {
    const int fd = descriptor(s.fd);
    return fd == closed ? fail(EBADF) : call(fd);
  }
  const int fd =
      XIP_TRY((s.what == verb::fsync || s.what == verb::fdatasync) ? open_to_sync(t, absolute(s.path)) : t.open(absolute(s.path), flags));
  const result<> done = call(fd);
  XIP_TRY(t.close(fd));
  return done;
}

result<> player::open(vfs::task& t, const step& s) {
  int& fd = descriptors_[static_cast<std::size_t>(s.fd)];
  if (fd != closed) return fail(EBUSY);
  fd = XIP_TRY(t.open(absolute(s.path), open_flags(s.flags), file_mode));
  return {};
}

result<> player::close(vfs::task& t, int number) {
  for (const mapping& m : mappings_)
    if (m.number == number) (void)mm::munmap(t, m.at, m.bytes);
  std::erase_if(mappings_, [number](const mapping& m) { return m.number == number; });
  const int fd = std::exchange(descriptors_[static_cast<std::size_t>(number)], closed);
  return fd == closed ? fail(EBADF) : t.close(fd);
}

// One that is there is used again: what a sync has left of it is what the next store meets.
const player::mapping* player::mapping_for(const step& s, std::size_t bytes) const noexcept {
  const auto there = std::ranges::find_if(mappings_, [&](const mapping& m) {
    return m.number == s.fd && m.first == (s.offset & ~page_mask) && m.bytes >= bytes && m.sync == ((s.flags & flag_sync) != 0);
  });
  return there == mappings_.end() ? nullptr : &*there;
}

result<> player::store(vfs::task& t, const step& s, std::size_t number) {
  return on_file(t, s, O_RDWR, [&](int fd) -> result<> {
    const auto within = static_cast<std::uint64_t>(s.offset & page_mask);
    const std::size_t bytes = within + static_cast<std::size_t>(s.length);
    if (const mapping* there = mapping_for(s, bytes); there != nullptr) return store_at(t, there->at + within, s, number);
    const mm::user_address at = XIP_TRY(map_pages(t, fd, s, bytes));
    const result<> done = store_at(t, at + within, s, number);
    if (s.fd == step::by_path)
      (void)mm::munmap(t, at, bytes);
    else
      mappings_.push_back({s.fd, s.offset & ~page_mask, bytes, (s.flags & flag_sync) != 0, at});
    return done;
  });
}

result<> player::link_descriptor(vfs::task& t, const step& s) {
  const int fd = descriptor(s.fd);
  return fd == closed ? fail(EBADF) : t.linkat(vfs::at{fd}, "", vfs::at{AT_FDCWD}, absolute(s.path), AT_EMPTY_PATH);
}

result<> player::set_xattr(vfs::task& t, const step& s, std::size_t number) {
  const std::vector<std::byte> value = content(number, 0, s.length);
  return on_file(t, s, O_RDWR, [&](int fd) { return t.fsetxattr(fd, s.other, value.data(), value.size(), 0); });
}

result<> player::call(vfs::task& t, const step& s, std::size_t number) {
  const std::string path = absolute(s.path), other = absolute(s.other);
  switch (s.what) {
    case verb::mkdir:
      return t.mkdir(path, directory_mode);
    case verb::creat: {
      const int fd = XIP_TRY(t.open(path, O_CREAT | O_RDWR, file_mode));
      return t.close(fd);
    }
    case verb::mknod:
      return t.mknod(path, S_IFIFO | file_mode, 0);
    case verb::symlink:
      return t.symlink(s.other, path);
    case verb::link:
      return t.link(other, path);
    case verb::unlink:
      return t.unlink(path);
    case verb::rmdir:
      return t.rmdir(path);
    case verb::rename:
      return t.renameat2(vfs::at{AT_FDCWD}, other, vfs::at{AT_FDCWD}, path, rename_flags(s.flags));
    case verb::write:
      return on_file(t, s, open_flags(s.flags), [&](int fd) { return write_all(t, fd, s, number); });
    case verb::store:
      return store(t, s, number);
    case verb::msync:
      return on_file(t, s, O_RDWR, [&](int fd) { return sync_mapped(t, fd); });
    case verb::truncate:
      return on_file(t, s, O_RDWR, [&](int fd) { return t.ftruncate(fd, s.length); });
    case verb::falloc:
      return on_file(t, s, O_RDWR, [&](int fd) { return t.fallocate(fd, range_mode(s.flags), s.offset, s.length); });
    case verb::setxattr:
      return set_xattr(t, s, number);
    case verb::removexattr:
      return on_file(t, s, O_RDWR, [&](int fd) { return t.fremovexattr(fd, s.other); });
    case verb::chmod:
      return t.chmod(path, static_cast<unsigned>(s.length));
    case verb::chown:
      return t.chown(path, static_cast<std::uint32_t>(s.offset), static_cast<std::uint32_t>(s.length));
    case verb::chattr:
      return change_flags(t, path, s.other);
    case verb::open:
      return open(t, s);
    case verb::close:
      return close(t, s.fd);
    case verb::linkat:
      return link_descriptor(t, s);
    case verb::fsync:
      return on_file(t, s, O_RDWR, [&](int fd) { return t.fsync(fd); });
    case verb::fdatasync:
      return on_file(t, s, O_RDWR, [&](int fd) { return t.fdatasync(fd); });
    case verb::sync:
      return t.owner.sync();
    case verb::umount:
    case verb::cut:
    case verb::mount:
      return fail(EINVAL);
  }
  return fail(EINVAL);
}

}  // namespace xip::crash
