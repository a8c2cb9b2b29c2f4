// Files of ext2 and ext3: a map of direct, indirect, double and triple indirect blocks in place of an extent tree. Linux:
// fs/ext4/indirect.c.
#pragma once

#include <cstdint>

#include <xip/base/result.h>
#include <xip/xip/extent_map.h>

#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite {

class block_claims;

[[nodiscard]] inline bool has_extents(const ext4_inode_info& inode) noexcept {
  return (inode.i_flags_disk.load(std::memory_order_relaxed) & extents_fl) != 0;
}

// How large such a file can be, with blocks of 1 << BITS bytes.
[[nodiscard]] loff_t indirect_max_bytes(unsigned bits) noexcept;
// How many blocks of the file the map can name: none of them is extent_max_block.
[[nodiscard]] std::uint64_t indirect_max_blocks(unsigned bits) noexcept;
// The blocks from LBLK on that lie beside each other, or the hole there; at most MAX. EUCLEAN, EIO, EFBIG.
[[nodiscard]] result<extent_map> indirect_find(ext4_inode_info& inode, lblk_t lblk, std::uint32_t max)
    XIP_REQUIRES_SHARED(inode.i_data_sem);
// No table of the map is there twice: so few of them could say that the file has as many blocks as the device, each a stretch of its own. EUCLEAN, EIO, ENOMEM.
[[nodiscard]] result<> indirect_check_tables(ext4_inode_info& inode) XIP_REQUIRES_SHARED(inode.i_data_sem);
// The same, and each table is claimed.
[[nodiscard]] result<> indirect_claim_tables(ext4_inode_info& inode, block_claims& claims) XIP_REQUIRES_SHARED(inode.i_data_sem);
// The most buffers that indirect_allocate dirties: on each of three levels an indirect block with its bitmap and descriptor, the table that was there
// before them, the data's bitmap and descriptor, the inode.
inline constexpr std::uint32_t credits_for_block_map = 3 * 3 + 1 + 2 + credits_inode;
// Blocks for HOLE, in one run from its beginning on, with the indirect blocks on their way; zeroed on the medium first if ZEROED. New and mapped. i_blocks and
// i_block may have changed even if it fails: mark_inode_dirty_data is the caller's. ENOSPC (indirect blocks without data may stay: they are holes, and go
// with the next truncate), EIO, EFBIG, EUCLEAN. credits: credits_for_block_map.
[[nodiscard]] result<extent_map> indirect_allocate(handle& h, ext4_inode_info& inode, const extent_map& hole, bool zeroed)
    XIP_REQUIRES(inode.i_data_sem);
// Some block lies at or behind FIRST.
[[nodiscard]] bool indirect_has_blocks_from(const ext4_inode_info& inode, lblk_t first) noexcept XIP_REQUIRES_SHARED(inode.i_data_sem);
// The last run of blocks in [FIRST, END), or an indirect block there that has become empty, is freed; or END comes down to where there may be one. False:
// there is none left. mark_inode_dirty_data is the caller's. credits: credits_for_removal.
[[nodiscard]] result<bool> indirect_remove_last_run(handle& h, ext4_inode_info& inode, lblk_t first, std::uint64_t& end)
    XIP_REQUIRES(inode.i_data_sem);

}  // namespace xip::ext4lite
