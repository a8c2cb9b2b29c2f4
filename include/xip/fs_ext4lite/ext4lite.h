// ext4lite: ext4's disk format on any device. Register it with a kernel instance and mount by its name, "ext4".
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include <xip/vfs/super_block.h>

namespace xip {

// Mount options: dax[=always|never|inode], errors=continue|remount-ro|panic, commit=SECONDS (0: the default), zero=convert|alloc (of files with extents),
// noload or norecovery, [no]grpid, [no]user_xattr, [no]acl.
// The generic ones (ro ...) belong to the VFS. Refused by name: unknown incompatible features, and read-write mounts of images with a damaged journal. A
// journal that needs recovery is replayed by a read-write mount.
[[nodiscard]] const vfs::file_system_type& ext4lite_file_system() noexcept;

// Whether WORDS, comma-separated and none of them generic, are options that a mount takes. The error is a message that names the word.
[[nodiscard]] std::expected<void, std::string> check_ext4lite_options(std::string_view words);

// What it answers the XIP core with, for a core of one's own. All but look-ups need a write_iter of this file system around them.
[[nodiscard]] const struct xip_ops& ext4lite_xip_ops() noexcept;

}  // namespace xip
