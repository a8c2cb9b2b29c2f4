// Taking blocks out of the tree, from the right end of a range to its left, so that each stop leaves a tree whose rest can be taken out
// later.
//
// The blocks go from the extent cache first, from the tree second, from the bitmap last: nobody finds a block here that is free already. A
// crash after the commit of any step leaves what is left of them in the tree, which the orphan pass takes out. What freeing them takes is there
// before the tree loses them.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <xip/base/points.h>

#include "fs_ext4lite/extent_tree.h"

namespace xip::ext4lite {
namespace {

// The entry at the end of PATH goes, and with it the nodes that it leaves empty: they are cut off at their common parent first, freed then.
[[nodiscard]] result<> erase_entry(handle& h, ext4_inode_info& inode, tree_path& path) XIP_REQUIRES(inode.i_data_sem) {
  std::uint32_t level = path.depth;
  while (level != 0 && node_at(inode, path, level).entries() == 1) --level;
  std::array<held_bitmaps, extent_max_depth> held;
  for (std::uint32_t empty = path.depth; empty > level; --empty)
    held[empty - 1] = XIP_TRY(prepare_to_free(h, path.level[empty].buffer->block(), 1));
  const auto at = static_cast<std::uint32_t>(path.level[level].at);
  tree_node_writer node = XIP_TRY(write_node(h, inode, path, level));
  node.erase(at);
  XIP_TRY(node_written(h, path, level));
  if (level == 0) {
    if (node.view().entries() == 0) {
      node.set_header(0, root_capacity, 0);
      note_depth(inode);
    }
  } else if (at == 0) {
    XIP_TRY(correct_keys(h, inode, path, level, node.view().key_at(0)));
  }
  for (std::uint32_t empty = path.depth; empty > level; --empty) {
    const pblk_t block = path.level[empty].buffer->block();
    path.level[empty].buffer.reset();
    XIP_TRY(free_blocks(h, inode, block, 1, true));
  }
  return {};
}

// The extent at the end of PATH loses [FIRST, END), at one end of it or whole.
[[nodiscard]] result<> shorten_extent(handle& h, ext4_inode_info& inode, tree_path& path, tree_extent e, lblk_t first, std::uint64_t end)
    XIP_REQUIRES(inode.i_data_sem) {
  if (first == e.lblk && end == e.end()) return erase_entry(h, inode, path);
  const auto at = static_cast<std::uint32_t>(path.leaf().at);
  tree_node_writer leaf = XIP_TRY(write_node(h, inode, path, path.depth));
  const auto gone = static_cast<std::uint32_t>(end - first.value());
  const bool head = first == e.lblk;
  e.len -= gone;
  if (head) {
    e.lblk += gone;
    e.pblk += gone;
  }
  leaf.set_extent(at, e);
  XIP_TRY(node_written(h, path, path.depth));
  if (head && at == 0) XIP_TRY(correct_keys(h, inode, path, path.depth, e.lblk));
  return {};
}

}  // namespace

result<bool> remove_last_stretch(handle& h, ext4_inode_info& inode, lblk_t first, lblk_t last) {
  tree_path path = XIP_TRY(find_path(inode, last));
  if (path.leaf().at < 0) return false;
  tree_extent e = leaf_of(inode, path).extent_at(static_cast<std::uint32_t>(path.leaf().at));
  if (e.end() <= first.value()) return false;
  const std::uint64_t end = std::min(e.end(), std::uint64_t{last.value()} + 1);
  const std::uint64_t most = inode.is_reg() ? std::max(sbi_of(inode).s_blocks_per_group, 1u) : most_metadata_freed;
  const lblk_t begin{
      static_cast<std::uint32_t>(std::max({std::uint64_t{first.value()}, std::uint64_t{e.lblk.value()}, end > most ? end - most : 0}))};
  const auto count = static_cast<std::uint32_t>(end - begin.value());

  if (!XIP_EXHIBIT(truncate_keeps_cache)) inode.i_es.remove(begin, count);
  if (begin > e.lblk && end < e.end()) {
    path = tree_path{};
    XIP_TRY(cut_extent(h, inode, lblk_t{static_cast<std::uint32_t>(end)}, alloc_use_reserved));
    path = XIP_TRY(find_path(inode, begin));
    e = leaf_of(inode, path).extent_at(static_cast<std::uint32_t>(path.leaf().at));
  }
  const pblk_t freed = e.pblk + (begin - e.lblk);
  const held_bitmaps held = XIP_TRY(prepare_to_free(h, freed, count));
  XIP_TRY(shorten_extent(h, inode, path, e, begin, end));
  path = tree_path{};
  XIP_POINT(ext4_extent_removed, inode.i_ino.value(), begin.value(), count);
  XIP_TRY(free_blocks(h, inode, freed, count, !inode.is_reg()));
  XIP_TRY(shrink_depth(h, inode));
  return true;
}

}  // namespace xip::ext4lite
