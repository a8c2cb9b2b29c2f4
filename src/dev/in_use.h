// Whether the host has mounted what a file holds: two file systems on the same blocks destroy both.
#pragma once

#include <optional>
#include <string>

#include <sys/stat.h>

namespace xip::dev {

// Where the block device, or a loop device on the regular file, that STATUS is about is mounted in this mount namespace; nothing if nowhere, or
// if the host does not say. Linux: /proc/self/mountinfo, /sys/block/loopN/loop/backing_file.
[[nodiscard]] std::optional<std::string> mounted_on(const struct stat& status);

// A loop device on the regular file that STATUS is about, if somebody claims it: it is mounted, in whatever namespace, part of another device, or another
// program writes to it. Nothing also if this process may not ask.
[[nodiscard]] std::optional<std::string> claimed_through(const struct stat& status);

}  // namespace xip::dev
