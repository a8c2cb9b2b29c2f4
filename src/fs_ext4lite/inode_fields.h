// Times and device numbers as an inode keeps them. Source: Documentation/filesystems/ext4/inodes.rst.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <sys/sysmacros.h>

#include <xip/vfs/inode.h>

#include "fs_ext4lite/format.h"

namespace xip::ext4lite {

inline constexpr std::uint32_t most_nanoseconds = 999'999'999;

// Seconds are signed 32 bits; EXTRA, if the inode has room for it, carries two more bits of them and the nanoseconds.
[[nodiscard]] inline vfs::timespec64 decode_time(std::uint32_t seconds, std::optional<std::uint32_t> extra) noexcept {
  vfs::timespec64 t{static_cast<std::int32_t>(seconds), 0};
  if (!extra) return t;
  t.seconds += std::int64_t{*extra & epoch_mask} << 32;
  t.nanoseconds = std::min(*extra >> epoch_bits, most_nanoseconds);
  return t;
}

struct encoded_time {
  std::uint32_t seconds;
  std::uint32_t extra;
};
// A time out of range becomes the nearest that can be kept.
[[nodiscard]] inline encoded_time encode_time(vfs::timespec64 t, bool has_extra) noexcept {
  const std::int64_t s = std::clamp(t.seconds, time_min, has_extra ? time_max : std::int64_t{INT32_MAX});
  const auto low = static_cast<std::int32_t>(static_cast<std::uint32_t>(s));
  const auto epoch = static_cast<std::uint32_t>((s - low) >> 32) & epoch_mask;
  return {static_cast<std::uint32_t>(low), epoch | t.nanoseconds << epoch_bits};
}

// OLD: 8 bits major, 8 bits minor, used where both fit; FRESH: 12 bits major, 20 bits minor.
[[nodiscard]] inline std::uint64_t decode_device(std::uint32_t old, std::uint32_t fresh) noexcept {
  if (old != 0) return gnu_dev_makedev((old >> 8) & 0xFF, old & 0xFF);
  return gnu_dev_makedev((fresh >> 8) & 0xFFF, (fresh & 0xFF) | ((fresh >> 12) & 0xFFF00));
}

struct encoded_device {
  std::uint32_t old, fresh;
};
[[nodiscard]] inline encoded_device encode_device(std::uint64_t dev) noexcept {
  const std::uint32_t major = gnu_dev_major(dev);
  const std::uint32_t minor = gnu_dev_minor(dev);
  if (major < 256 && minor < 256) return {major << 8 | minor, 0};
  return {0, (minor & 0xFF) | (major & 0xFFF) << 8 | (minor & 0xFFF00) << 12};
}

}  // namespace xip::ext4lite
