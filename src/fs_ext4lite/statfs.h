// What statfs says. Linux: ext4_statfs, ext4_calculate_overhead (fs/ext4/super.c).
#pragma once

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// Blocks that no file can have: the file system's own and the journal's.
[[nodiscard]] std::uint64_t overhead_of(ext4_sb_info& sb, const ext4_super_block& es);
[[nodiscard]] result<> ext4_statfs(vfs::super_block& sb, vfs::kstatfs& out);

}  // namespace xip::ext4lite
