// Between xattr.cc, xattr_block.cc and acl.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <xip/base/result.h>
#include <xip/vfs/ops.h>

#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/xattr_area.h"

namespace xip::ext4lite {

// ---- xattr_block.cc ---------------------------------------------------------------------------------------------------------------------

// What lies in INODE's attribute block, checked; FOUND points into it as long as the answer lives. Empty: it has none. Under xattr_sem.
[[nodiscard]] result<dev::buffer_ref> read_xattr_block(const ext4_inode_info& inode, xattr_views& found)
    XIP_REQUIRES_SHARED(inode.xattr_sem);
[[nodiscard]] bool fit_in_xattr_block(const ext4_sb_info& sb, const xattr_views& items) noexcept;
// INODE's block becomes one that holds ITEMS, which fit and stand in order: one that is there already, its own changed, a new one; none if there are no
// items. i_file_acl and i_blocks change in memory, the caller writes them under H. What fails has changed nothing. ENOSPC. credits: credits_xattr_block.
[[nodiscard]] result<> set_xattr_block(handle& h, ext4_inode_info& inode, const xattr_views& items) XIP_REQUIRES(inode.xattr_sem);
inline constexpr std::uint32_t credits_xattr_block =
    6;  // bitmap and descriptor of the block that comes and of the one that goes, both blocks

// ---- xattr.cc -----------------------------------------------------------------------------------------------------------------------------

// The value of attribute INDEX, NAME; as the hook. ENODATA, ERANGE.
[[nodiscard]] result<std::size_t> xattr_get(const ext4_inode_info& inode, std::uint8_t index, std::string_view name,
                                            std::span<std::byte> to);
// Under H; FLAGS as in setxattr. The inode is written with it. Nothing has changed after what fails. credits: credits_xattr_set.
[[nodiscard]] result<> xattr_set(handle& h, ext4_inode_info& inode, std::uint8_t index, std::string_view name, vfs::xattr_value value,
                                 int flags);
inline constexpr std::uint32_t credits_xattr_set = credits_xattr_block + credits_inode;

// H, which has changed INODE, ends; durable before this returns where the file is synchronous.
[[nodiscard]] result<> finish_change(handle& h, const ext4_inode_info& inode);

// ---- acl.cc -------------------------------------------------------------------------------------------------------------------------------

// ACL (none: no list) goes to the medium under H, and is remembered. credits: credits_xattr_set.
[[nodiscard]] result<> store_acl(handle& h, ext4_inode_info& inode, vfs::acl_type type, vfs::acl_ref acl);
// A new inode has inherited lists (new_inode): they go to the medium. credits: credits_inherit.
[[nodiscard]] result<> store_inherited_acls(handle& h, ext4_inode_info& inode);

}  // namespace xip::ext4lite
