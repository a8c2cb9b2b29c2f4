// Opening the file behind a device.
#include "dev/open_file.h"

#include <cerrno>

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

backing::backing(const opened_file& file) noexcept
    : fd_{file.fd.get()}, has_holes_{S_ISREG(file.status.st_mode) && file.status.st_blocks < (file.status.st_size + 511) / 512} {}

result<> backing::reserve(std::uint64_t offset, std::uint64_t bytes) noexcept {
  if (!has_holes_.load(std::memory_order_relaxed)) return {};
  if (::fallocate(fd_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(bytes)) == 0) return {};
  if (is_no_room(errno)) return fail(ENOSPC);
  return {};
}

void backing::give_back(std::uint64_t offset, std::uint64_t bytes) noexcept {
  has_holes_.store(true, std::memory_order_relaxed);
  punch_hole(fd_, offset, bytes);
}

void punch_hole(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept {
  // A hint: a host that cannot do it keeps the backing.
  (void)::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(bytes));
}

}  // namespace xip::dev
