// Zeroing a file's blocks where they lie.
#pragma once

#include <cstdint>

#include <xip/base/result.h>
#include <xip/base/units.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// COUNT blocks of the device from FIRST become zeros, drained, by the way that INODE's data takes. They are INODE's, and nobody else can find them. EIO.
[[nodiscard]] result<> zero_blocks(ext4_inode_info& inode, pblk_t first, std::uint32_t count);

}  // namespace xip::ext4lite
