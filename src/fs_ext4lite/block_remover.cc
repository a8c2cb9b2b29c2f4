// Removing blocks, for truncate, punch and collapse. Linux: ext4_ext_remove_space (fs/ext4/extents.c), ext4_ind_remove_space.
//
// Lock chains:
//   jbd2_handle -> i_data_sem
#include "fs_ext4lite/block_remover.h"

#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/indirect.h"

namespace xip::ext4lite {
namespace {

// Others' commits need not wait longer than for so many stretches. Blocks of a directory are named in the journal one by one: a stretch is enough.
[[nodiscard]] std::uint32_t stretches_per_handle(const ext4_inode_info& inode) noexcept { return inode.is_reg() ? 64 : 1; }

}  // namespace

result<bool> block_remover::remove_one() {
  if (!has_extents(inode_)) return indirect_remove_last_run(*h_, inode_, first_, end_);
  return remove_last_stretch(*h_, inode_, first_, lblk_t{static_cast<std::uint32_t>(end_ - 1)});
}

result<bool> block_remover::remove_some() {
  exclusive_guard guard{inode_.i_data_sem};
  result<bool> more = true;
  while (more.value_or(false) && h_.another_step(stretches_per_handle(inode_))) more = remove_one();
  XIP_TRY(mark_inode_dirty_data(*h_, inode_));
  return more;
}

}  // namespace xip::ext4lite
