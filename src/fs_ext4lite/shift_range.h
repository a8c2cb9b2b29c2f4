// Taking a range out of a file, and putting one in: what lies behind it moves.
#pragma once

#include <xip/base/annotations.h>
#include <xip/base/result.h>
#include <xip/base/units.h>

#include "fs_ext4lite/file_hooks.h"

namespace xip::ext4lite {

// Linux: ext4_collapse_range. [OFFSET, OFFSET + LENGTH), whole blocks inside the file, goes, and what is behind takes its place. EOPNOTSUPP: a block map; EINVAL;
// ENOSPC: an extent that is cut in two needs a block that is not there; EIO, EUCLEAN, ENOMEM. A failure in the middle leaves what a crash there would.
[[nodiscard]] result<> ext4_collapse_range(vfs::file& f, ext4_inode_info& inode, loff_t offset, loff_t length) XIP_REQUIRES(inode.i_rwsem);

// Linux: ext4_insert_range. A hole of LENGTH, whole blocks, comes in at OFFSET, which is inside the file. EFBIG: it would become too large. Else as above.
[[nodiscard]] result<> ext4_insert_range(vfs::file& f, ext4_inode_info& inode, loff_t offset, loff_t length) XIP_REQUIRES(inode.i_rwsem);

}  // namespace xip::ext4lite
