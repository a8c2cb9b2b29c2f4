// Between inode.cc, inode_write.cc and inode_alloc.cc.
#pragma once

#include <cstdint>

#include <xip/base/result.h>

#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite {

// A field at OFFSET of the inode with BYTES bytes lies within what the slot uses.
[[nodiscard]] constexpr bool fits_in_slot(std::uint32_t extra_isize, std::size_t offset, std::size_t bytes) noexcept {
  return offset + bytes <= good_old_inode_size + std::size_t{extra_isize};
}

// Fills in a slot that nobody used before: what it held is gone. credits: 1.
[[nodiscard]] result<> write_fresh_inode(handle& h, ext4_inode_info& inode);

// The number's bit in its group's bitmap, the counts with it. EUCLEAN: it was clear already.
[[nodiscard]] result<> release_inode_number(handle& h, ino_t number, bool directory);
// Its bit is set. EUCLEAN: the bitmap cannot be trusted.
[[nodiscard]] result<bool> inode_number_in_use(ext4_sb_info& sb, ino_t number);

// Also an inode without links, as the orphan list has them.
[[nodiscard]] result<vfs::inode_ref> iget_orphan(ext4_sb_info& sb, ino_t number);

// NUMBER can be read as such an inode, and every node of its tree too; the inode does not enter the cache. EUCLEAN, EIO, ENOMEM, EOPNOTSUPP.
[[nodiscard]] result<> check_orphan(ext4_sb_info& sb, ino_t number);

[[nodiscard]] bool inode_number_valid(const ext4_sb_info& sb, ino_t number) noexcept;  // an ordinary one, or the root

}  // namespace xip::ext4lite
