// Between trees and maps that lie in the inode, whole.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> i_data_sem
#include "fs_ext4lite/migrate.h"

#include <algorithm>
#include <limits>

#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/indirect_table.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] tree_node root_node(const ext4_inode_info& inode) noexcept XIP_REQUIRES_SHARED(inode.i_data_sem) {
  return tree_node{reinterpret_cast<const std::byte*>(inode.i_data)};
}

// Direct pointers can say it: each has 32 bits and means a block that is written.
[[nodiscard]] bool fits_a_map(const ext4_inode_info& inode, const tree_node& root) noexcept {
  const ext4_sb_info& sb = sbi_of(inode);
  if (root.depth() != 0 || root.entries() > 1 || sb.s_blocks_count > std::numeric_limits<std::uint32_t>::max()) return false;
  if (i_size_read(inode) > indirect_max_bytes(sb.s_blocksize_bits)) return false;
  return root.entries() == 0 || (!root.extent_at(0).unwritten && root.extent_at(0).end() <= ndir_blocks);
}

[[nodiscard]] bool has_indirect_blocks(const ext4_inode_info& inode) noexcept XIP_REQUIRES_SHARED(inode.i_data_sem) {
  return std::ranges::any_of(inode.i_data + ndir_blocks, inode.i_data + n_blocks, [](std::uint32_t word) { return word != 0; });
}

// The runs of the direct blocks as extents of ROOT. False: it has no room for them.
[[nodiscard]] result<bool> take_runs(ext4_inode_info& inode, tree_node_writer& root) XIP_REQUIRES_SHARED(inode.i_data_sem) {
  for (std::uint32_t i = 0, n = 0; i < ndir_blocks; i += n) {
    const std::uint32_t block = root_of(inode).at(i);
    n = run_length(root_of(inode), i, ndir_blocks - i);
    if (block == 0) continue;
    XIP_TRY(check_pointer(inode, block, n, i));
    if (root.view().full()) return false;
    root.insert_extent(root.view().entries(), {lblk_t{i}, n, pblk_t{block}, false});
  }
  return true;
}

[[nodiscard]] result<> write_migrated(handle& h, ext4_inode_info& inode, std::uint32_t flags) XIP_REQUIRES(inode.i_data_sem) {
  inode.i_es.clear();
  inode.i_flags_disk.store(flags, std::memory_order_relaxed);
  return mark_inode_dirty_data(h, inode);
}

}  // namespace

result<> ext4_ind_migrate(ext4_inode_info& inode) {
  handle h = XIP_TRY(journal_start(sbi_of(inode), credits_inode));
  exclusive_guard guard{inode.i_data_sem};
  XIP_TRY(check_extent_root(inode));
  const tree_node root = root_node(inode);
  if (!fits_a_map(inode, root)) return fail(EOPNOTSUPP);
  const tree_extent only = root.entries() == 0 ? tree_extent{} : root.extent_at(0);
  std::ranges::fill(inode.i_data, 0u);
  for (std::uint32_t i = 0; i < only.len; ++i)
    reinterpret_cast<le32*>(inode.i_data)[only.lblk.value() + i] = static_cast<std::uint32_t>(only.pblk.value() + i);
  return write_migrated(h, inode, inode.i_flags_disk.load(std::memory_order_relaxed) & ~extents_fl);
}

result<> ext4_ext_migrate(ext4_inode_info& inode) {
  if (!sbi_of(inode).has_incompat(incompat_extents)) return fail(EINVAL);
  handle h = XIP_TRY(journal_start(sbi_of(inode), credits_inode));
  exclusive_guard guard{inode.i_data_sem};
  if (has_indirect_blocks(inode)) return fail(EOPNOTSUPP);
  alignas(le32) std::byte bytes[sizeof inode.i_data] = {};
  tree_node_writer root{bytes};
  root.set_header(0, root_capacity, 0);
  if (!XIP_TRY(take_runs(inode, root))) return fail(EOPNOTSUPP);
  std::memcpy(inode.i_data, bytes, sizeof inode.i_data);
  note_depth(inode);
  return write_migrated(h, inode, inode.i_flags_disk.load(std::memory_order_relaxed) | extents_fl);
}

}  // namespace xip::ext4lite
