#include "fuse/remount.h"

#include <cerrno>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace xip::fuse {
namespace {

struct mount_flag {
  std::string_view on, off;
  unsigned long bit;
  unsigned long of_statvfs;
};
constexpr unsigned long nosymfollow_of_statvfs = 0x2000;  // ST_NOSYMFOLLOW, which the C library has no name for
constexpr mount_flag mount_flags[] = {
    {"ro", "rw", MS_RDONLY, ST_RDONLY},
    {"nosuid", "suid", MS_NOSUID, ST_NOSUID},
    {"nodev", "dev", MS_NODEV, ST_NODEV},
    {"noexec", "exec", MS_NOEXEC, ST_NOEXEC},
    {"noatime", "atime", MS_NOATIME, ST_NOATIME},
    {"nodiratime", "diratime", MS_NODIRATIME, ST_NODIRATIME},
    {"relatime", "strictatime", MS_RELATIME, ST_RELATIME},
    {"strictatime", "relatime", MS_STRICTATIME, 0},
    {"sync", "async", MS_SYNCHRONOUS, ST_SYNCHRONOUS},
    {"nosymfollow", "symfollow", MS_NOSYMFOLLOW, nosymfollow_of_statvfs},
    {"dirsync", "", MS_DIRSYNC, 0},
};

// FLAGS, changed by WORDS.
[[nodiscard]] unsigned long flags_with(std::string_view words, unsigned long flags) noexcept {
  while (!words.empty()) {
    const std::size_t comma = std::min(words.find(','), words.size());
    const std::string_view word = words.substr(0, comma);
    words.remove_prefix(std::min(comma + 1, words.size()));
    for (const mount_flag& f : mount_flags) {
      if (word == f.on) flags |= f.bit;
      if (word == f.off) flags &= ~f.bit;
    }
  }
  return flags;
}

// The kernel's flags of the mount, those that statvfs(2) shows.
[[nodiscard]] std::expected<unsigned long, std::string> flags_of(const std::string& directory) {
  struct ::statvfs now{};
  if (::statvfs(directory.c_str(), &now) != 0) return std::unexpected{fmt::format("{}: {}", directory, std::strerror(errno))};
  unsigned long flags = 0;
  for (const mount_flag& f : mount_flags)
    if ((now.f_flag & f.of_statvfs) != 0) flags |= f.bit;
  return flags;
}

[[nodiscard]] unsigned long wanted_flags(const mount_request& request, unsigned long now) noexcept {
  unsigned long flags = flags_with(request.generic, flags_with(request.kernel, now));
  if (request.nosymfollow) flags = flags_with(*request.nosymfollow ? "nosymfollow" : "symfollow", flags);
  return flags;
}

[[nodiscard]] std::expected<void, std::string> change_kernel(const mount_request& request, unsigned long flags) {
  if (::mount("none", request.directory.c_str(), nullptr, MS_REMOUNT | flags, nullptr) != 0)
    return std::unexpected{fmt::format("{}: {}", request.directory, std::strerror(errno))};
  return {};
}

[[nodiscard]] bool not_ours(int number) noexcept { return number == ENOTTY || number == EINVAL || number == EOPNOTSUPP; }

// Without OPTIONS: only whether there is a server of ours.
[[nodiscard]] std::expected<void, std::string> tell_server(const mount_request& request, const std::string& options) {
  remount_message message{};
  struct ::stat image{};
  if (::stat(request.image.c_str(), &image) != 0) return std::unexpected{fmt::format("{}: {}", request.image, std::strerror(errno))};
  message.device = image.st_dev;
  message.number = image.st_ino;
  if (options.size() >= sizeof message.text) return std::unexpected{std::string{"the options are too long"}};
  options.copy(message.text, options.size());
  const int fd = ::open(request.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int answer = fd < 0 ? -1 : ::ioctl(fd, remount_command, &message);
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (answer > 0) return std::unexpected{std::string{message.text, ::strnlen(message.text, sizeof message.text)}};
  if (answer < 0)
    return std::unexpected{fmt::format("{}: {}", request.directory, not_ours(why) ? "not a mount of this program" : std::strerror(why))};
  return {};
}

}  // namespace

int serve_remount(server& owner, remount_message& message) {
  const std::string options{message.text, ::strnlen(message.text, sizeof message.text)};
  const bool meant = owner.image.is(message.device, message.number);
  message = {};
  if (!meant) {
    constexpr std::string_view why = "another image is mounted there";
    why.copy(message.text, sizeof message.text - 1);
    return EINVAL;
  }
  if (options.empty()) return 0;
  auto done = owner.image.remount(options);
  if (done.has_value()) return 0;
  done.error().message.copy(message.text, sizeof message.text - 1);
  return done.error().code.number();
}

std::expected<void, std::string> set_kernel_flags(const mount_request& request) {
  if (!request.nosymfollow.value_or(false)) return {};
  const auto now = flags_of(request.directory);
  if (!now.has_value()) return std::unexpected{now.error()};
  return change_kernel(request, wanted_flags(request, *now));
}

// The kernel comes first: towards read-only nobody begins to write behind it then, and towards writing nobody can yet. Its flags are all known, so that
// they can be given back if libxip refuses.
std::expected<void, std::string> remount(const mount_request& request) {
  if (auto there = tell_server(request, {}); !there.has_value()) return there;
  const auto now = flags_of(request.directory);
  if (!now.has_value()) return std::unexpected{now.error()};
  const unsigned long wanted = wanted_flags(request, *now);
  if (wanted != *now)
    if (auto changed = change_kernel(request, wanted); !changed.has_value()) return changed;
  auto served = tell_server(request, request.library());
  if (!served.has_value() && wanted != *now) static_cast<void>(change_kernel(request, *now));
  return served;
}

}  // namespace xip::fuse
