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
constexpr mount_flag mount_flags[] = {
    {"ro", "rw", MS_RDONLY, ST_RDONLY},
    {"nosuid", "suid", MS_NOSUID, ST_NOSUID},
    {"nodev", "dev", MS_NODEV, ST_NODEV},
    {"noexec", "exec", MS_NOEXEC, ST_NOEXEC},
    {"noatime", "atime", MS_NOATIME, ST_NOATIME},
    {"nodiratime", "diratime", MS_NODIRATIME, ST_NODIRATIME},
    {"sync", "async", MS_SYNCHRONOUS, ST_SYNCHRONOUS},
    {"dirsync", "", MS_DIRSYNC, 0},
};

// What the mount has now, changed by WORDS.
[[nodiscard]] unsigned long flags_with(std::string_view words, unsigned long now) noexcept {
  unsigned long flags = 0;
  for (const mount_flag& f : mount_flags)
    if ((now & f.of_statvfs) != 0) flags |= f.bit;
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

[[nodiscard]] std::expected<void, std::string> change_kernel(const mount_request& request) {
  struct ::statvfs now{};
  if (::statvfs(request.directory.c_str(), &now) != 0)
    return std::unexpected{fmt::format("{}: {}", request.directory, std::strerror(errno))};
  const unsigned long flags = flags_with(request.kernel, now.f_flag);
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

// Towards read-only the kernel comes first, so that nobody begins to write behind it; towards writing libxip does, which may have to refuse.
std::expected<void, std::string> remount(const mount_request& request) {
  if (auto there = tell_server(request, {}); !there.has_value()) return there;
  if (!request.read_only) {
    if (auto served = tell_server(request, request.library); !served.has_value()) return served;
    return change_kernel(request);
  }
  struct ::statvfs before{};
  const bool was_writable = ::statvfs(request.directory.c_str(), &before) == 0 && (before.f_flag & ST_RDONLY) == 0;
  if (auto changed = change_kernel(request); !changed.has_value()) return changed;
  auto served = tell_server(request, request.library);
  if (!served.has_value() && was_writable) {
    mount_request back = request;
    back.kernel += ",rw";
    static_cast<void>(change_kernel(back));
  }
  return served;
}

}  // namespace xip::fuse
