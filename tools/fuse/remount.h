// Changing the options of a mount that is in use. The host's kernel tells a FUSE server nothing of a remount, so that whoever asks for it tells both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>

#include <sys/ioctl.h>

#include "fuse/options.h"
#include "fuse/server.h"

namespace xip::fuse {

// An ioctl of the mount's root. There: options for libxip, or none to see who answers; back: why not, if it returns an errno; both end with a zero.
struct remount_message {
  std::uint64_t device, number;  // of the image that is meant, st_dev and st_ino
  char text[1024];
};
inline constexpr unsigned remount_command = _IOWR('x', 0x52, remount_message);

// Serves it. 0, or an errno with a message.
[[nodiscard]] int serve_remount(server& owner, remount_message& message);

// Gives the mount those of the kernel's flags that no option of a new FUSE mount does. The server answers. The error is a message.
[[nodiscard]] std::expected<void, std::string> set_kernel_flags(const mount_request& request);

// Asks for it. The error is a message.
[[nodiscard]] std::expected<void, std::string> remount(const mount_request& request);

}  // namespace xip::fuse
