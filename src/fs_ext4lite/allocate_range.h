// Preallocation: between range_hooks.cc and punch.cc.
#pragma once

#include <xip/base/annotations.h>
#include <xip/base/result.h>
#include <xip/base/units.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// What i_size becomes when END is to be covered; 0: it stays as it is. EFBIG: the task may not have so large a file.
[[nodiscard]] result<loff_t> size_to_cover(const ext4_inode_info& inode, loff_t end, bool keep_size) XIP_REQUIRES(inode.i_rwsem);
// Every block that [OFFSET, OFFSET + LENGTH) touches is there afterwards. FLAGS are map_blocks': map_create_unwritten, and map_make_unwritten where written
// ones are to read as zeros. i_size goes up to what has been done, but not past NEW_SIZE; 0: it stays as it is. What an error leaves is a part of that, from
// OFFSET on. ENOSPC (after waiting for commits that may free blocks), EFBIG, EIO, EUCLEAN, ENOMEM.
[[nodiscard]] result<> allocate_range(ext4_inode_info& inode, loff_t offset, loff_t length, loff_t new_size, std::uint32_t flags)
    XIP_REQUIRES(inode.i_rwsem);

}  // namespace xip::ext4lite
