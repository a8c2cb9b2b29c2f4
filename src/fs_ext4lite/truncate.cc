// Taking away what lies past i_size. Linux: ext4_truncate (fs/ext4/inode.c).
//
// i_size has moved before a block is freed here. The inode is on the orphan list from the first handle to the last, and each handle leaves
// a tree that says what is left: after a crash at any commit the orphan pass goes on where this stopped. It frees from the right, so that a
// stop in between leaves a file with its beginning whole.
//
// Lock chains:
//   i_rwsem -> invalidate_lock -> jbd2_handle -> i_data_sem
//   i_rwsem -> invalidate_lock -> jbd2_handle -> s_orphan_lock
#include <optional>

#include <xip/xip/mapping.h>

#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/file_hooks.h"
#include "fs_ext4lite/indirect.h"

namespace xip::ext4lite {
namespace {

// Others' commits need not wait longer than for so many stretches. Blocks of a directory are named in the journal one by one: a stretch is enough.
[[nodiscard]] std::uint32_t stretches_per_handle(const ext4_inode_info& inode) noexcept { return inode.is_reg() ? 64 : 1; }

class block_remover {
 public:
  block_remover(ext4_inode_info& inode, lblk_t first) noexcept : inode_{inode}, first_{first} {}

  [[nodiscard]] result<> run() {
    XIP_TRY(start());
    XIP_TRY(orphan_add(*h_, inode_));
    while (XIP_TRY(remove_some())) XIP_TRY(start());
    // Without links it stays on the list until its number is free.
    if (inode_.i_nlink.load(std::memory_order_relaxed) != 0) XIP_TRY(orphan_del(*h_, inode_));
    return {};
  }

 private:
  [[nodiscard]] result<> start() {
    h_.reset();
    h_.emplace(XIP_TRY(journal_start(sbi_of(inode_), credits_for_removal + credits_orphan)));
    return {};
  }

  [[nodiscard]] bool enough_credits() noexcept {
    const std::uint32_t needed = credits_for_removal + credits_orphan;
    const std::uint32_t left = h_->credits_left();
    return left >= needed || h_->extend(needed - left);
  }

  // True: there is more, another handle is needed.
  [[nodiscard]] result<bool> remove_some() {
    exclusive_guard guard{inode_.i_data_sem};
    result<bool> more = true;
    for (std::uint32_t i = 0; i < stretches_per_handle(inode_) && more.value_or(false); ++i) {
      if (i != 0 && !enough_credits()) break;
      more = remove_one();
    }
    XIP_TRY(mark_inode_dirty_data(*h_, inode_));
    return more;
  }

  [[nodiscard]] result<bool> remove_one() XIP_REQUIRES(inode_.i_data_sem) {
    if (!has_extents(inode_)) return indirect_remove_last_run(*h_, inode_, first_);
    return remove_last_stretch(*h_, inode_, first_, lblk_t{extent_max_block - 1});
  }

  ext4_inode_info& inode_;
  lblk_t first_;
  std::optional<handle> h_;
};

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

// The bytes of the last block past SIZE become zeros on the medium: they are what a later growth shows.
[[nodiscard]] result<> zero_behind(ext4_inode_info& inode, loff_t size) {
  const loff_t tail = -size & (loff_t{inode.i_sb.s_blocksize} - 1);
  if (!inode.is_reg() || inode.i_nlink.load(std::memory_order_relaxed) == 0 || XIP_EXHIBIT(truncate_tail_kept)) return {};
  return xip_zero_range(inode, size, tail, ext4_xip_ops);
}

}  // namespace

result<> truncate_blocks(ext4_inode_info& inode) {
  const loff_t size = i_size_read(inode);
  drop_window(inode);
  const auto zeroed = zero_behind(inode, size);
  const std::uint64_t kept = blocks_for(static_cast<std::uint64_t>(size), inode.i_sb.s_blocksize_bits);
  const lblk_t first{static_cast<std::uint32_t>(std::min<std::uint64_t>(kept, extent_max_block))};
  if (XIP_TRY(has_blocks_from(inode, first)))
    XIP_TRY(block_remover(inode, first).run());
  else
    XIP_TRY(leave_orphan_list(inode));
  return zeroed;
}

result<> retry_truncate(ext4_inode_info& inode) {
  exclusive_guard guard{inode.i_mapping.invalidate_lock};
  if (truncate_blocks(inode)) return {};
  return leave_orphan_list(inode);  // its blocks past the end are e2fsck's
}

}  // namespace xip::ext4lite
