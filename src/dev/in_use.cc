#include "dev/in_use.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace xip::dev {
namespace {

// Fields of a line of mountinfo: number, parent, major:minor, root, mount point, ...
[[nodiscard]] std::optional<std::string> mount_point_of(const std::string& major_minor) {
  std::ifstream mounts{"/proc/self/mountinfo"};
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields{line};
    std::string number, parent, device, root, target;
    if (fields >> number >> parent >> device >> root >> target && device == major_minor) return target;
  }
  return std::nullopt;
}

[[nodiscard]] std::string first_line(const std::filesystem::path& path) {
  std::ifstream file{path};
  std::string line;
  std::getline(file, line);
  return line;
}

// The loop devices whose file this is, as directories of /sys, one after the other to VISIT until it answers.
template <class Visit>
[[nodiscard]] std::optional<std::string> each_loop_on(const struct stat& status, const Visit& visit) {
  std::error_code ignored;
  for (std::filesystem::directory_iterator i{"/sys/block", ignored}, end; !ignored && i != end; i.increment(ignored)) {
    const std::string backing = first_line(i->path() / "loop" / "backing_file");
    struct stat there{};
    if (backing.empty() || ::stat(backing.c_str(), &there) != 0) continue;
    if (there.st_dev != status.st_dev || there.st_ino != status.st_ino) continue;
    if (auto found = visit(i->path())) return found;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> mounted_on(const struct stat& status) {
  if (S_ISBLK(status.st_mode)) return mount_point_of(fmt::format("{}:{}", gnu_dev_major(status.st_rdev), gnu_dev_minor(status.st_rdev)));
  return each_loop_on(status, [](const std::filesystem::path& loop) { return mount_point_of(first_line(loop / "dev")); });
}

std::optional<std::string> claimed_through(const struct stat& status) {
  return each_loop_on(status, [](const std::filesystem::path& loop) -> std::optional<std::string> {
    const std::string device = "/dev" / loop.filename();
    const int fd = ::open(device.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC);
    const bool claimed = fd < 0 && errno == EBUSY;
    if (fd >= 0) ::close(fd);
    return claimed ? std::optional{device} : std::nullopt;
  });
}

}  // namespace xip::dev
