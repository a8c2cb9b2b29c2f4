// The flags of a file, as chattr sets them, that ask for durable changes.
#pragma once

#include <cstdint>

#include <xip/vfs/task.h>

namespace xip::crash {

inline constexpr std::uint32_t syncs_flag = 0x00000008;        // FS_SYNC_FL: of a file each write; of a directory, as the next
inline constexpr std::uint32_t syncs_names_flag = 0x00010000;  // FS_DIRSYNC_FL: each change of a name in a directory

// Those two of an open file or directory; zero where the file system has no flags.
[[nodiscard]] result<std::uint32_t> durable_flags(vfs::task& t, int fd);
// The other flags stay.
[[nodiscard]] result<> set_durable_flags(vfs::task& t, int fd, std::uint32_t flags);

}  // namespace xip::crash
