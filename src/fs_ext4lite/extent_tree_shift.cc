// Moving extents within the file, leaf by leaf. Linux: ext4_ext_shift_extents (fs/ext4/extents.c).
//
// A step changes one leaf and the keys above it. Leaves go in the order in which the way is free: from the left where they move left, into a hole
// that was made before, from the right where they move right. Between two steps the tree is good, and says of each extent either its old place or
// its new one. Blocks on the device stay where they are.
#include <algorithm>

#include "fs_ext4lite/extent_tree.h"

namespace xip::ext4lite {
namespace {

// Where the entries of a leaf that begin at or behind FROM start.
[[nodiscard]] std::uint32_t first_behind(const tree_node& leaf, std::uint64_t from) noexcept {
  if (from == 0) return 0;
  return static_cast<std::uint32_t>(leaf.search(lblk_t{static_cast<std::uint32_t>(from - 1)}) + 1);
}

// Every node that a new first key of the leaf changes can be written: what follows does not fail half-way.
[[nodiscard]] result<> write_keys_above(handle& h, ext4_inode_info& inode, tree_path& path) XIP_REQUIRES(inode.i_data_sem) {
  for (std::uint32_t level = path.depth; level-- != 0;) {
    (void)XIP_TRY(write_node(h, inode, path, level));
    if (path.level[level].at != 0) break;
  }
  return {};
}

// The entries of the leaf from I on begin where MOVED says; entries_moved is to follow.
template <class Move>
[[nodiscard]] result<tree_node_writer> move_entries(handle& h, ext4_inode_info& inode, tree_path& path, std::uint32_t i, Move&& moved)
    XIP_REQUIRES(inode.i_data_sem) {
  if (i == 0) XIP_TRY(write_keys_above(h, inode, path));
  tree_node_writer leaf = XIP_TRY(write_node(h, inode, path, path.depth));
  const lblk_t first = leaf.view().key_at(i);
  inode.i_es.remove(std::min(first, moved(first)), UINT32_MAX);
  for (std::uint32_t n = i; n < leaf.view().entries(); ++n) leaf.set_key(n, moved(leaf.view().key_at(n)));
  return leaf;
}

[[nodiscard]] result<> entries_moved(handle& h, ext4_inode_info& inode, tree_path& path, std::uint32_t i, const tree_node_writer& leaf)
    XIP_REQUIRES(inode.i_data_sem) {
  XIP_TRY(node_written(h, path, path.depth));
  return i == 0 ? correct_keys(h, inode, path, path.depth, leaf.view().key_at(0)) : result<>{};
}

}  // namespace

result<std::uint64_t> end_of_tree(ext4_inode_info& inode) {
  const tree_path path = XIP_TRY(find_path(inode, lblk_t{extent_max_block - 1}));
  if (path.leaf().at < 0) return 0;
  return leaf_of(inode, path).extent_at(static_cast<std::uint32_t>(path.leaf().at)).end();
}

result<> check_leaves_from(ext4_inode_info& inode, lblk_t from) {
  for (std::uint64_t at = from.value(); at < extent_max_block;)
    at = XIP_TRY(find_path(inode, lblk_t{static_cast<std::uint32_t>(at)})).limit;
  return {};
}

result<bool> shift_leaf_left(handle& h, ext4_inode_info& inode, std::uint64_t& from, std::uint32_t blocks) {
  tree_path path = XIP_TRY(find_path(inode, lblk_t{static_cast<std::uint32_t>(from)}));
  const std::uint32_t i = first_behind(leaf_of(inode, path), from);
  if (i < leaf_of(inode, path).entries()) {
    tree_node_writer leaf = XIP_TRY(move_entries(h, inode, path, i, [&](lblk_t key) { return key - blocks; }));
    // What was known of the two as such is true still, but who asks is to hear of one.
    if (i != 0 && join_with_next(leaf, i - 1)) inode.i_es.remove(leaf.view().key_at(i - 1), UINT32_MAX);
    XIP_TRY(entries_moved(h, inode, path, i, leaf));
  }
  from = path.limit;
  return from < extent_max_block;
}

result<bool> shift_leaf_right(handle& h, ext4_inode_info& inode, lblk_t from, std::uint64_t& end, std::uint32_t blocks) {
  if (end <= from.value()) return false;
  tree_path path = XIP_TRY(find_path(inode, lblk_t{static_cast<std::uint32_t>(end - 1)}));
  if (path.leaf().at < 0) return false;  // the first of them has moved
  const tree_node leaf = leaf_of(inode, path);
  const std::uint32_t i = first_behind(leaf, from.value());
  if (i >= leaf.entries()) return false;
  end = leaf.key_at(0).value();
  const tree_node_writer moved = XIP_TRY(move_entries(h, inode, path, i, [&](lblk_t key) { return key + blocks; }));
  XIP_TRY(entries_moved(h, inode, path, i, moved));
  return i == 0 && end > from.value();
}

}  // namespace xip::ext4lite
