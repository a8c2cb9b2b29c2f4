// Whether the host has mounted what a file holds: two file systems on the same blocks destroy both.
#pragma once

#include <optional>
#include <string>

#include <sys/stat.h>

namespace xip::dev {

// Where the block device, or a loop device on the regular file, that STATUS is about is mounted in this mount namespace; nothing if nowhere, or
// if the host does not say. Linux: /proc/self/mountinfo, /sys/block/loopN/loop/backing_file.
[[nodiscard]] std::optional<std::string> mounted_on(const struct stat& status);

}  // namespace xip::dev
