// Taking away what lies past i_size. Linux: ext4_truncate (fs/ext4/inode.c).
//
// i_size has moved before a block is freed here. The inode is on the orphan list from the first handle to the last, and each handle leaves
// a tree that says what is left: after a crash at any commit the orphan pass goes on where this stopped. It frees from the right, so that a
// stop in between leaves a file with its beginning whole.
//
// Lock chains:
//   i_rwsem -> invalidate_lock -> jbd2_handle -> i_data_sem
//   i_rwsem -> invalidate_lock -> jbd2_handle -> s_orphan_lock
#include <xip/xip/mapping.h>

#include "fs_ext4lite/block_remover.h"
#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/file_hooks.h"
#include "fs_ext4lite/indirect.h"

namespace xip::ext4lite {
namespace {

// Everything from FIRST on. The inode is on the orphan list meanwhile.
[[nodiscard]] result<> remove_blocks_from(ext4_inode_info& inode, lblk_t first) {
  step_handle h{sbi_of(inode), credits_for_removal + credits_orphan};
  block_remover remover{h, inode, first, extent_max_block};
  XIP_TRY(h.restart());
  XIP_TRY(orphan_add(*h, inode));
  while (XIP_TRY(remover.remove_some())) XIP_TRY(h.restart());
  // Without links it stays on the list until its number is free.
  if (inode.i_nlink.load(std::memory_order_relaxed) != 0) XIP_TRY(orphan_del(*h, inode));
  return {};
}

[[nodiscard]] result<bool> has_blocks_from(ext4_inode_info& inode, lblk_t first) {
  shared_guard guard{inode.i_data_sem};
  if (!has_extents(inode)) return indirect_has_blocks_from(inode, first);
  const tree_path path = XIP_TRY(find_path(inode, lblk_t{extent_max_block - 1}));
  if (path.leaf().at < 0) return false;
  return leaf_of(inode, path).extent_at(static_cast<std::uint32_t>(path.leaf().at)).end() > first.value();
}

// What is on the list for nothing leaves it.
[[nodiscard]] result<> leave_orphan_list(ext4_inode_info& inode) {
  if (!on_orphan_list(inode) || inode.i_nlink.load(std::memory_order_relaxed) == 0) return {};
  handle h = XIP_TRY(journal_start(sbi_of(inode), credits_orphan));
  return orphan_del(h, inode);
}

}  // namespace

result<> zero_behind(ext4_inode_info& inode, loff_t size) {
  const loff_t tail = -size & (loff_t{inode.i_sb.s_blocksize} - 1);
  if (!inode.is_reg() || inode.i_nlink.load(std::memory_order_relaxed) == 0 || XIP_EXHIBIT(truncate_tail_kept)) return {};
  return xip_zero_range(inode, size, tail, ext4_xip_ops);
}

result<> remove_blocks_past_size(ext4_inode_info& inode) {
  drop_window(inode);
  const std::uint64_t kept = blocks_for(static_cast<std::uint64_t>(i_size_read(inode)), inode.i_sb.s_blocksize_bits);
  const lblk_t first{static_cast<std::uint32_t>(std::min<std::uint64_t>(kept, extent_max_block))};
  if (XIP_TRY(has_blocks_from(inode, first))) return remove_blocks_from(inode, first);
  return leave_orphan_list(inode);
}

// What a medium refuses to zero keeps no block from being freed: a growth, which would show it, has to zero it first.
result<> truncate_blocks(ext4_inode_info& inode) {
  const auto zeroed = zero_behind(inode, i_size_read(inode));
  XIP_TRY(remove_blocks_past_size(inode));
  return zeroed;
}

result<> retry_truncate(ext4_inode_info& inode) {
  exclusive_guard guard{inode.i_mapping.invalidate_lock};
  if (truncate_blocks(inode)) return {};
  return leave_orphan_list(inode);  // its blocks past the end are e2fsck's
}

}  // namespace xip::ext4lite
