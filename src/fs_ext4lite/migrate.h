// A file's blocks kept the other way: in an extent tree, or in a map of blocks. Linux: fs/ext4/migrate.c.
#pragma once

#include <xip/base/result.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// The tree becomes a map, or the map a tree; no block moves. Both under one handle and without new blocks: the tree is a root with at most one written extent
// within the twelve direct blocks, the map has no indirect block and at most four runs. EOPNOTSUPP: it is larger, or the file or the device is too large for a
// map; EINVAL: the image has no extents. Nothing has changed then.
[[nodiscard]] result<> ext4_ind_migrate(ext4_inode_info& inode) XIP_REQUIRES(inode.i_rwsem);
[[nodiscard]] result<> ext4_ext_migrate(ext4_inode_info& inode) XIP_REQUIRES(inode.i_rwsem);

}  // namespace xip::ext4lite
