// Extended attributes. Linux: fs/ext4/xattr.c; Documentation/filesystems/ext4/attributes.rst.
//
// A block of attributes may be shared by many inodes; its header counts them, under s_xattr_lock. The last one frees it.
//
// Lock chains:
//   jbd2_handle -> s_xattr_lock -> s_error_lock
//   jbd2_handle -> s_xattr_lock -> buffer_cache
//   jbd2_handle -> s_xattr_lock -> group_lock
#include <fmt/format.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/dir_block.h"
#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] result<> check_block(ext4_inode_info& inode, dev::buffer& b) {
  const auto header = load_at<ext4_xattr_header>(b.data(), 0);
  const auto bad = [&](std::string_view what) { return corrupted(inode, fmt::format("attribute block {}: {}", b.block().value(), what)); };
  if (header.h_magic != xattr_magic) return bad(fmt::format("magic {:#x}, not {:#x}", header.h_magic.load(), xattr_magic));
  if (header.h_blocks != 1) return bad(fmt::format("it says {} blocks, not 1", header.h_blocks.load()));
  if (header.h_refcount == 0 || header.h_refcount > xattr_refcount_max)
    return bad(fmt::format("{} inodes share it, not 1 to {}", header.h_refcount.load(), xattr_refcount_max));
  if (!b.verified() && !block_checksum_ok(inode, block_kind::xattr, b.block(), b.data())) return bad("wrong checksum");
  b.set_verified();
  return {};
}

[[nodiscard]] result<> drop_share(handle& h, ext4_inode_info& inode, dev::buffer& b) {
  const std::span<std::byte> block = XIP_TRY(get_write_access(h, b));
  set_block_trigger(inode, block_kind::xattr, b);
  auto header = load_at<ext4_xattr_header>(block, 0);
  header.h_refcount = header.h_refcount - 1;
  store_at(block, 0, header);
  add_to_i_blocks(inode, -1);
  return dirty_metadata(h, b);
}

}  // namespace

// The inode and its block's count change under one handle, with which the inode is written by the caller.
result<> xattr_release(handle& h, ext4_inode_info& inode) {
  if (inode.i_file_acl == 0) return {};
  ext4_sb_info& sb = h.sb();
  const pblk_t block{inode.i_file_acl};
  mutex_guard guard{sb.s_xattr_lock};
  {
    const dev::buffer_ref b = XIP_TRY(sb.s_buffers->read(block));
    XIP_TRY(check_block(inode, *b));
    if (load_at<ext4_xattr_header>(b->data(), 0).h_refcount != 1) {
      XIP_TRY(drop_share(h, inode, *b));
      inode.i_file_acl = 0;
      return {};
    }
  }
  XIP_TRY(free_blocks(h, inode, block, 1, true));
  inode.i_file_acl = 0;
  return {};
}

}  // namespace xip::ext4lite
