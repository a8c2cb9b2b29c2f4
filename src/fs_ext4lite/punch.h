// Holes and zeros in the middle of a file.
#pragma once

#include <cstdint>

#include <xip/base/annotations.h>
#include <xip/base/result.h>
#include <xip/base/units.h>

#include "fs_ext4lite/file_hooks.h"
#include "fs_ext4lite/layouts.h"
#include "fs_ext4lite/step_handle.h"

namespace xip::ext4lite {

// Before the blocks of PAGES go, move, or become unwritten, with a layouts_guard of the same pages: what was stored there through mappings is made durable, and their
// entries are dropped. The first change of a mount is announced, so that data may be changed next. EIO, ENOSPC, ENOMEM.
[[nodiscard]] result<> prepare_range_change(ext4_inode_info& inode, const page_range& pages)
    XIP_REQUIRES(inode.i_rwsem, inode.i_mapping.invalidate_lock);

// The blocks [FIRST, END) become holes, in as many transactions of H as it takes; the last of them goes on. credits: credits_for_punch. ENOSPC: an extent that is cut
// in two needs a block that is not there, also after what was freed has been committed; EIO, EUCLEAN, ENOMEM.
[[nodiscard]] result<> remove_blocks(step_handle& h, ext4_inode_info& inode, lblk_t first, std::uint64_t end)
    XIP_REQUIRES(inode.i_rwsem, inode.i_mapping.invalidate_lock);

// Linux: ext4_punch_hole. Whole blocks of [OFFSET, OFFSET + LENGTH) become holes, the rest of it zeros; the size stays. Of trees and block maps.
// ENOSPC: an extent that is cut in two needs a block that is not there; EIO, EUCLEAN, ENOMEM. What fails leaves a part of the hole.
[[nodiscard]] result<> ext4_punch_hole(vfs::file& f, ext4_inode_info& inode, loff_t offset, loff_t length) XIP_REQUIRES(inode.i_rwsem);

// Linux: ext4_zero_range. [OFFSET, OFFSET + LENGTH) reads as zeros and has blocks, unwritten ones where it has them whole. Unless KEEP_SIZE, i_size covers
// it. EOPNOTSUPP: a block map; EFBIG, ENOSPC, EIO, EUCLEAN, ENOMEM. What fails leaves a part of it.
[[nodiscard]] result<> ext4_zero_range(vfs::file& f, ext4_inode_info& inode, loff_t offset, loff_t length, bool keep_size)
    XIP_REQUIRES(inode.i_rwsem);

}  // namespace xip::ext4lite
