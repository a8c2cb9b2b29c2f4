#include "common/image_lock.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xip/locks/clock.h>
#include <xip/locks/delay.h>

namespace xip::tool {
namespace {

using namespace std::chrono_literals;

constexpr nanoseconds patience = 3s;
constexpr nanoseconds between_attempts = 10ms;

// flock(2) has no deadline, and whoever holds the lock wakes nobody here: we try again and again. 0, or the errno.
[[nodiscard]] int lock_patiently(int fd, int operation) noexcept {
  const nanoseconds deadline = monotonic_now() + patience;
  for (;;) {
    if (::flock(fd, operation | LOCK_NB) == 0) return 0;
    const int why = errno;
    if ((why != EWOULDBLOCK && why != EINTR) || monotonic_now() >= deadline) return why;
    delay(between_attempts);
  }
}

}  // namespace

std::expected<int, std::string> lock_image(const std::string& image, image_access access) {
  const int fd = ::open(image.c_str(), (access == image_access::write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::unexpected{fmt::format("{}: {}", image, std::strerror(errno))};
  struct ::stat st{};
  if (::fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
    ::close(fd);
    return std::unexpected{fmt::format("{}: neither a file nor a block device", image)};
  }
  const int why = lock_patiently(fd, access == image_access::write ? LOCK_EX : LOCK_SH);
  if (why == 0) return fd;
  ::close(fd);
  if (why == EWOULDBLOCK) return std::unexpected{fmt::format("{}: in use by another program; try again when it has finished", image)};
  return std::unexpected{fmt::format("{}: cannot lock it: {}", image, std::strerror(why))};
}

}  // namespace xip::tool
