// Between inode.cc, inode_write.cc and inode_alloc.cc.
#pragma once

#include <cstdint>
#include <memory>

#include <xip/base/result.h>

#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite {

class block_claims;

// A field at OFFSET of the inode with BYTES bytes lies within what the slot uses.
[[nodiscard]] constexpr bool fits_in_slot(std::uint32_t extra_isize, std::size_t offset, std::size_t bytes) noexcept {
  return offset + bytes <= good_old_inode_size + std::size_t{extra_isize};
}

// Fills in a slot that nobody used before: what it held is gone. credits: 1.
[[nodiscard]] result<> write_fresh_inode(handle& h, ext4_inode_info& inode);

// Behind its fields a slot has room for attributes: from OFFSET on, BYTES bytes with the header; none where there is not enough of it.
// Linux: EXT4_INODE_HAS_XATTR_SPACE.
[[nodiscard]] std::size_t xattr_body_offset(const ext4_inode_info& inode) noexcept;
[[nodiscard]] std::size_t xattr_body_bytes(const ext4_inode_info& inode) noexcept;
// SLOT has attributes there.
[[nodiscard]] bool has_xattrs_in_body(const ext4_inode_info& inode, std::span<const std::byte> slot) noexcept;
// As mark_inode_dirty; that room holds BODY then, which is empty (it stays as it is) or has the size of it. xattr_sem exclusive.
[[nodiscard]] result<> mark_inode_dirty_with_body(handle& h, ext4_inode_info& inode, std::span<const std::byte> body);

// The number's bit in its group's bitmap, the counts with it. EUCLEAN: it was clear already.
[[nodiscard]] result<> release_inode_number(handle& h, ino_t number, bool directory);
// Its bit is set. EUCLEAN: the bitmap cannot be trusted.
[[nodiscard]] result<bool> inode_number_in_use(ext4_sb_info& sb, ino_t number);

// Also an inode without links, as the orphan list has them.
[[nodiscard]] result<vfs::inode_ref> iget_orphan(ext4_sb_info& sb, ino_t number);

// NUMBER can be read as such an inode, and every node of its tree too; what it would give back is claimed. The inode does not enter the cache. EUCLEAN, EIO,
// ENOMEM, EOPNOTSUPP.
[[nodiscard]] result<> check_orphan(ext4_sb_info& sb, ino_t number, block_claims& claims);

struct free_apart {
  void operator()(ext4_inode_info* inode) const noexcept;
};
using apart_inode = std::unique_ptr<ext4_inode_info, free_apart>;
// NUMBER as it lies in its table; it does not enter the cache. Without links only an ORPHAN is taken. EUCLEAN, EIO, ENOMEM, EOPNOTSUPP, ESTALE.
[[nodiscard]] result<apart_inode> read_apart(ext4_sb_info& sb, ino_t number, bool orphan);

// An ordinary one, or the root: what a name may stand for. The orphan file is neither.
[[nodiscard]] bool inode_number_valid(const ext4_sb_info& sb, ino_t number) noexcept;

}  // namespace xip::ext4lite
