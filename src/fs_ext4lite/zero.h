// Zeroing a file's blocks where they lie.
#pragma once

#include <cstdint>

#include <xip/base/result.h>
#include <xip/base/units.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// COUNT blocks of the device from FIRST become zeros, drained, by the way that INODE's data takes. They are INODE's, and nobody else can find them. EIO.
[[nodiscard]] result<> zero_blocks(ext4_inode_info& inode, pblk_t first, std::uint32_t count);

// Written blocks from LBLK on, 1 to MAX of them: what was a hole or unwritten is allocated, zeroed, drained and converted under H. The entries of their pages are
// locked. ENOSPC also for want of a block for the tree: then they are unwritten, zeroed or not. EFBIG, EIO, EUCLEAN, ENOMEM. credits: credits_for_one_extent.
[[nodiscard]] result<extent_map> map_zeroed_blocks(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t max);

}  // namespace xip::ext4lite
