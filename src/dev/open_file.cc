// Opening the file behind a device.
#include "dev/open_file.h"

#include <cerrno>
#include <new>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fmt/format.h>

#include "dev/in_use.h"

namespace xip::dev {

unique_fd::~unique_fd() {
  if (fd_ >= 0) ::close(fd_);
}

std::unexpected<open_failure> refuse(int number, std::string_view device, std::string_view why) {
  const error code{number};
  return std::unexpected{open_failure{code, fmt::format("{}: {} ({})", device, why, code.name())}};
}

namespace {

std::string_view advice_for(int number) noexcept {
  switch (number) {
    case ENOENT:
      return "no such file; make it first (truncate -s 1G FILE) and put a file system on it (mke2fs)";
    case EACCES:
      return "permission denied; check the file's mode, or ask for a read-only open";
    case EROFS:
      return "it lies on a read-only file system; ask for a read-only open";
    case EISDIR:
      return "it is a directory; name an image file or a block device";
    case ETXTBSY:
      return "it is a running program, not an image";
    case EINVAL:
      return "the host's file system refuses to open it so (O_DIRECT is not possible everywhere)";
    default:
      return error{number}.message();
  }
}

// A program that was started with a standard stream closed would print its messages into the image.
int above_standard_streams(int fd) noexcept {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int number = errno;
  ::close(fd);
  errno = number;
  return moved;
}

int open_quietly(const std::string& path, bool read_only, int extra_flags) noexcept {
  const int flags = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | extra_flags;
  if (read_only) {
    // Only the owner may ask for O_NOATIME.
    if (const int fd = ::open(path.c_str(), flags | O_NOATIME); fd >= 0 || errno != EPERM) return above_standard_streams(fd);
  }
  return above_standard_streams(::open(path.c_str(), flags));
}

// Opens the block device PATH once more, so that the host neither mounts it nor makes it part of another device while FILE is open.
std::expected<void, open_failure> claim(std::string_view device, const std::string& path, int extra_flags, opened_file& file) {
  unique_fd claimed{open_quietly(path, false, extra_flags | O_EXCL)};
  if (claimed.get() < 0) {
    const int number = errno;
    return refuse(number, device,
                  number == EBUSY ? "the host has it in use, mounted or as part of another device (lsblk), or another program claims it"
                                  : advice_for(number));
  }
  struct ::stat status{};
  if (::fstat(claimed.get(), &status) != 0 || status.st_rdev != file.status.st_rdev)
    return refuse(EBUSY, device, "another device has taken its name just now");
  file.fd = std::move(claimed);
  return {};
}

// What keeps this file, open for writing, from being written after all.
std::expected<void, open_failure> check_writable(std::string_view device, const std::string& path, int extra_flags, opened_file& file) {
  if (const auto target = mounted_on(file.status))
    return refuse(EBUSY, device, fmt::format("it is mounted on {}; unmount it first", *target));
  if (S_ISBLK(file.status.st_mode)) {
    int protected_from_writing = 0;
    if (::ioctl(file.fd.get(), BLKROGET, &protected_from_writing) == 0 && protected_from_writing != 0)
      return refuse(EROFS, device, "the device is write-protected (blockdev --setrw), or ask for a read-only open");
    return claim(device, path, extra_flags, file);
  }
  if (const auto loop = claimed_through(file.status))
    return refuse(EBUSY, device, fmt::format("it is in use through {}; release that first", *loop));
  struct rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      limit.rlim_cur < static_cast<rlim_t>(file.status.st_size))
    return refuse(EFBIG, device, fmt::format("it is longer than this process may write (ulimit -f: {} bytes)", limit.rlim_cur));
  return {};
}

}  // namespace

std::expected<opened_file, open_failure> open_file(std::string_view device, const std::string& path, bool read_only, int extra_flags) {
  if (path.empty()) return refuse(EINVAL, device, "a file name is missing");
  opened_file file{unique_fd{open_quietly(path, read_only, extra_flags)}, {}};
  if (file.fd.get() < 0) {
    const int number = errno;
    return refuse(number, device, advice_for(number));
  }
  if (::fstat(file.fd.get(), &file.status) != 0) {
    const int number = errno;
    return refuse(number, device, error{number}.message());
  }
  const mode_t mode = file.status.st_mode;
  if (S_ISDIR(mode)) return refuse(EISDIR, device, advice_for(EISDIR));
  if (!S_ISREG(mode) && !S_ISBLK(mode) && !S_ISCHR(mode)) return refuse(EINVAL, device, "neither a file nor a device");
  if (S_ISREG(mode) && file.status.st_size == 0) return refuse(EINVAL, device, "the file is empty; give it a size and a file system first");
  if (!read_only)
    if (auto writable = check_writable(device, path, extra_flags, file); !writable) return std::unexpected{std::move(writable.error())};
  // O_NONBLOCK was only there so that a pipe cannot make the open wait; an io_uring request would answer EAGAIN because of it.
  (void)::fcntl(file.fd.get(), F_SETFL, ::fcntl(file.fd.get(), F_GETFL) & ~O_NONBLOCK);
  return file;
}

std::expected<std::uint64_t, open_failure> size_of_medium(std::string_view device, const opened_file& file) {
  if (S_ISCHR(file.status.st_mode)) return refuse(ENOTBLK, device, "a character device, not a file or block device");
  auto size = static_cast<std::uint64_t>(file.status.st_size);
  if (S_ISBLK(file.status.st_mode) && ::ioctl(file.fd.get(), BLKGETSIZE64, &size) != 0) {
    const int number = errno;
    return refuse(number, device, "the block device does not tell its size");
  }
  return size;
}

backing::backing(const opened_file& file) noexcept : fd_{file.fd.get()} {
  if (!S_ISREG(file.status.st_mode)) return;
  size_ = static_cast<std::uint64_t>(file.status.st_size);
  const std::uint64_t words = (size_ + piece_bytes * 64 - 1) / (piece_bytes * 64);
  pieces_.reset(new (std::nothrow) std::atomic<std::uint64_t>[words] {});
  // Blocks may also lie behind the end: their number says nothing.
  const bool has_holes = ::lseek(fd_, 0, SEEK_HOLE) != file.status.st_size;
  for (std::uint64_t i = 0; pieces_ != nullptr && !has_holes && i < words; ++i)
    pieces_[i].store(~std::uint64_t{0}, std::memory_order_relaxed);
}

bool backing::is_backed(std::uint64_t piece) const noexcept {
  const std::atomic<std::uint64_t>* const word = word_of(piece);
  return word != nullptr && (word->load() >> piece % 64 & 1) != 0;
}

void backing::set_backed(std::uint64_t piece, bool backed) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << piece % 64;
  if (std::atomic<std::uint64_t>* const word = word_of(piece); word != nullptr) backed ? word->fetch_or(bit) : word->fetch_and(~bit);
}

// The bytes from BEGIN to END of one piece; the rest of it, too, where the host has so much.
result<> backing::reserve_in(std::uint64_t piece, std::uint64_t begin, std::uint64_t end) noexcept {
  // 0, or an errno; a host that cannot do it lets every store try.
  const auto take = [&](std::uint64_t from, std::uint64_t to) {
    int why;
    do why = ::fallocate(fd_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from), static_cast<off_t>(to - from)) == 0 ? 0 : errno;
    while (why == EINTR);
    return why == EOPNOTSUPP || why == ENOSYS ? 0 : is_no_room(why) ? ENOSPC : why;
  };
  const std::uint64_t given_back = given_back_.load();
  if (take(piece * piece_bytes, std::min((piece + 1) * piece_bytes, size_)) == 0) {
    set_backed(piece, true);
    if (given_back_.load() != given_back) set_backed(piece, false);  // perhaps some of this, behind us
    return {};
  }
  const int why = take(begin, end);
  return why == 0 ? result<>{} : fail(why);
}

result<> backing::reserve(std::uint64_t offset, std::uint64_t bytes) noexcept {
  const std::uint64_t end = std::min(offset + bytes, size_);
  for (std::uint64_t at = offset; at < end;) {
    const std::uint64_t piece = at / piece_bytes, next = std::min((piece + 1) * piece_bytes, end);
    if (!is_backed(piece)) XIP_TRY(reserve_in(piece, at, next));
    at = next;
  }
  return {};
}

// Nobody reserves these bytes meanwhile, but perhaps others of the same piece.
void backing::give_back(std::uint64_t offset, std::uint64_t bytes) noexcept {
  punch_hole(fd_, offset, bytes);
  given_back_.fetch_add(1);
  const std::uint64_t end = std::min(offset + bytes, size_);
  for (std::uint64_t piece = offset / piece_bytes; piece * piece_bytes < end; ++piece) set_backed(piece, false);
}

backing::stretch backing::find_data(std::uint64_t from) noexcept {
  const std::uint64_t given_back = given_back_.load();
  const off_t begin = ::lseek(fd_, static_cast<off_t>(from), SEEK_DATA);
  const off_t hole = begin < 0 ? begin : ::lseek(fd_, begin, SEEK_HOLE);
  if (hole <= begin) return {size_, size_};
  const stretch found{static_cast<std::uint64_t>(begin), std::min(static_cast<std::uint64_t>(hole), size_)};
  const std::uint64_t first = (found.begin + piece_bytes - 1) / piece_bytes;
  const std::uint64_t last = found.end == size_ ? (size_ + piece_bytes - 1) / piece_bytes : found.end / piece_bytes;
  for (const bool backed : {true, false}) {
    if (!backed && given_back_.load() == given_back) break;  // else perhaps some of these, behind us
    for (std::uint64_t piece = first; piece < last; ++piece) set_backed(piece, backed);
  }
  return found;
}

void punch_hole(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept {
  // A hint: a host that cannot do it keeps the backing.
  (void)::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(bytes));
}

}  // namespace xip::dev
