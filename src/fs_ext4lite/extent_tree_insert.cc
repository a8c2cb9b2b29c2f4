// Putting extents into the tree, and turning unwritten ones into written ones.
#include <algorithm>

#include <fmt/format.h>

#include <xip/base/points.h>

#include "fs_ext4lite/extent_tree.h"

namespace xip::ext4lite {
namespace {

// RIGHT goes on where LEFT ends, in the file and on the device, and one extent can say both.
[[nodiscard]] bool can_join(const tree_extent& left, const tree_extent& right) noexcept {
  return left.unwritten == right.unwritten && left.end() == right.lblk.value() && left.pblk + left.len == right.pblk &&
         left.len + right.len <= max_len_of(left.unwritten);
}

// Entry I has changed: it may now go together with its neighbours.
void join_around(tree_node_writer& leaf, std::uint32_t i) noexcept {
  join_with_next(leaf, i);
  if (i != 0) join_with_next(leaf, i - 1);
}

// E becomes a part of the entry before it or behind it in the leaf. False: it continues neither.
[[nodiscard]] result<bool> insert_by_joining(handle& h, ext4_inode_info& inode, tree_path& path, const tree_extent& e)
    XIP_REQUIRES(inode.i_data_sem) {
  const tree_node leaf = leaf_of(inode, path);
  const std::int32_t at = path.leaf().at;
  const auto next = static_cast<std::uint32_t>(at + 1);
  const bool left = at >= 0 && can_join(leaf.extent_at(next - 1), e);
  const bool right = next < leaf.entries() && can_join(e, leaf.extent_at(next));
  if (!left && !right) return false;
  tree_node_writer writer = XIP_TRY(write_node(h, inode, path, path.depth));
  tree_extent joined = leaf.extent_at(left ? next - 1 : next);
  joined.len += e.len;
  if (!left) {
    joined.lblk = e.lblk;
    joined.pblk = e.pblk;
  }
  writer.set_extent(left ? next - 1 : next, joined);
  if (left) join_with_next(writer, next - 1);
  XIP_TRY(node_written(h, path, path.depth));
  if (!left && next == 0) XIP_TRY(correct_keys(h, inode, path, path.depth, e.lblk));
  return true;
}

// Nothing else claims the blocks of E: who inserts has found a hole there.
[[nodiscard]] result<> check_hole(ext4_inode_info& inode, const tree_path& path, const tree_extent& e) {
  const tree_node leaf = leaf_of(inode, path);
  const auto next = static_cast<std::uint32_t>(path.leaf().at + 1);
  const std::uint64_t before = path.leaf().at >= 0 ? leaf.extent_at(next - 1).end() : 0;
  const std::uint64_t behind = next < leaf.entries() ? leaf.key_at(next).value() : path.limit;
  if (before <= e.lblk.value() && e.end() <= behind) return {};
  return corrupted(inode, fmt::format("extent tree: blocks {} to {} were a hole and are none", e.lblk.value(), e.end() - 1));
}

// The entry at the end of PATH, which is the extent that holds LBLK.
[[nodiscard]] result<tree_extent> extent_with(ext4_inode_info& inode, const tree_path& path, lblk_t lblk) {
  if (path.leaf().at >= 0) {
    const tree_extent e = leaf_of(inode, path).extent_at(static_cast<std::uint32_t>(path.leaf().at));
    if (lblk.value() < e.end()) return e;
  }
  return corrupted(inode, fmt::format("extent tree: block {} was mapped and is a hole", lblk.value()));
}

// [LBLK, LBLK + LEN) lies at one end of the extent WHOLE, and the extent next to that end, of the other kind, goes on there: the border
// between the two moves. False: it is not so.
[[nodiscard]] result<bool> convert_by_moving_border(handle& h, ext4_inode_info& inode, tree_path& path, const tree_extent& whole,
                                                    lblk_t lblk, std::uint32_t len) XIP_REQUIRES(inode.i_data_sem) {
  const tree_node leaf = leaf_of(inode, path);
  const auto at = static_cast<std::uint32_t>(path.leaf().at);
  const tree_extent part{lblk, len, whole.pblk + (lblk - whole.lblk), !whole.unwritten};
  tree_extent rest = whole;
  rest.len -= len;
  if (rest.len == 0) return false;
  if (lblk == whole.lblk && at != 0 && can_join(leaf.extent_at(at - 1), part)) {
    tree_node_writer writer = XIP_TRY(write_node(h, inode, path, path.depth));
    tree_extent left = leaf.extent_at(at - 1);
    left.len += len;
    rest.lblk += len;
    rest.pblk += len;
    writer.set_extent(at - 1, left);
    writer.set_extent(at, rest);
    XIP_TRY(node_written(h, path, path.depth));
    return true;
  }
  if (part.end() == whole.end() && at + 1 < leaf.entries() && can_join(part, leaf.extent_at(at + 1))) {
    tree_node_writer writer = XIP_TRY(write_node(h, inode, path, path.depth));
    tree_extent right = leaf.extent_at(at + 1);
    right.lblk = part.lblk;
    right.pblk = part.pblk;
    right.len += len;
    writer.set_extent(at, rest);
    writer.set_extent(at + 1, right);
    XIP_TRY(node_written(h, path, path.depth));
    return true;
  }
  return false;
}

// E becomes an entry of its own at the end of PATH, whose leaf has room.
[[nodiscard]] result<> insert_at(handle& h, ext4_inode_info& inode, tree_path& path, const tree_extent& e) XIP_REQUIRES(inode.i_data_sem) {
  const auto at = static_cast<std::uint32_t>(path.leaf().at + 1);
  if (at == 0) XIP_TRY(correct_keys(h, inode, path, path.depth, e.lblk));
  tree_node_writer leaf = XIP_TRY(write_node(h, inode, path, path.depth));
  leaf.insert_extent(at, e);
  return node_written(h, path, path.depth);
}

// The entry at the end of PATH, which is E, becomes written if it was not, unwritten if it was.
[[nodiscard]] result<> convert_at(handle& h, ext4_inode_info& inode, tree_path& path, tree_extent e) XIP_REQUIRES(inode.i_data_sem) {
  e.unwritten = !e.unwritten;
  const auto at = static_cast<std::uint32_t>(path.leaf().at);
  tree_node_writer leaf = XIP_TRY(write_node(h, inode, path, path.depth));
  leaf.set_extent(at, e);
  join_around(leaf, at);
  return node_written(h, path, path.depth);
}

// The extent that holds LBLK, as it is.
[[nodiscard]] result<> turn_extent(handle& h, ext4_inode_info& inode, lblk_t lblk) XIP_REQUIRES(inode.i_data_sem) {
  {
    tree_path path = XIP_TRY(find_path(inode, lblk));
    const tree_extent e = XIP_TRY(extent_with(inode, path, lblk));
    XIP_TRY(convert_at(h, inode, path, e));
  }
  return shrink_depth(h, inode);
}

// LEN blocks from LBLK, or as many of them as their extent has and one of the other kind can have, lie in an extent that is UNWRITTEN or not, and become the
// other. Cutting it takes blocks for the tree as FLAGS say.
[[nodiscard]] result<> convert_part(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t& len, bool unwritten, std::uint32_t flags)
    XIP_REQUIRES(inode.i_data_sem) {
  {
    tree_path path = XIP_TRY(find_path(inode, lblk));
    const tree_extent whole = XIP_TRY(extent_with(inode, path, lblk));
    if (whole.unwritten != unwritten)
      return corrupted(inode, fmt::format("extent tree: block {} was {} and is not", lblk.value(), unwritten ? "unwritten" : "written"));
    len = static_cast<std::uint32_t>(std::min<std::uint64_t>({len, whole.end() - lblk.value(), max_len_of(!unwritten)}));
    if (len == whole.len) {
      XIP_TRY(convert_at(h, inode, path, whole));
      path = tree_path{};
      return shrink_depth(h, inode);
    }
    if (XIP_TRY(convert_by_moving_border(h, inode, path, whole, lblk, len))) return {};
    if ((lblk + len).value() < whole.end()) {
      path = tree_path{};
      XIP_TRY(cut_extent(h, inode, lblk + len, flags));
    }
  }
  XIP_TRY(cut_extent(h, inode, lblk, flags));
  return turn_extent(h, inode, lblk);
}

}  // namespace

bool join_with_next(tree_node_writer& leaf, std::uint32_t i) noexcept {
  if (i + 1 >= leaf.view().entries()) return false;
  tree_extent left = leaf.view().extent_at(i);
  const tree_extent right = leaf.view().extent_at(i + 1);
  if (!can_join(left, right)) return false;
  left.len += right.len;
  leaf.set_extent(i, left);
  leaf.erase(i + 1);
  return true;
}

result<> insert_extent(handle& h, ext4_inode_info& inode, const tree_extent& e) {
  {
    auto found = find_path(inode, e.lblk);
    if (!found.has_value()) return fail(found.error());
    tree_path& path = *found;
    XIP_TRY(check_hole(inode, path, e));
    if (XIP_TRY(insert_by_joining(h, inode, path, e))) return {};
    if (!leaf_of(inode, path).full()) return insert_at(h, inode, path, e);
  }
  tree_path path = XIP_TRY(make_room(h, inode, e.lblk, 0));
  return insert_at(h, inode, path, e);
}

result<> cut_extent(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t flags) {
  {
    const tree_path path = XIP_TRY(find_path(inode, lblk));
    if (XIP_TRY(extent_with(inode, path, lblk)).lblk == lblk) return {};
  }
  tree_path path = XIP_TRY(make_room(h, inode, lblk, flags));
  tree_extent left = XIP_TRY(extent_with(inode, path, lblk));
  tree_extent right = left;
  left.len = lblk - left.lblk;
  right.lblk = lblk;
  right.pblk += left.len;
  right.len -= left.len;
  const auto at = static_cast<std::uint32_t>(path.leaf().at);
  tree_node_writer leaf = XIP_TRY(write_node(h, inode, path, path.depth));
  leaf.set_extent(at, left);
  leaf.insert_extent(at + 1, right);
  return node_written(h, path, path.depth);
}

result<> convert_extent(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t& len) {
  return convert_part(h, inode, lblk, len, true, alloc_use_reserved);
}

result<> convert_initialized_extent(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t& len) {
  return convert_part(h, inode, lblk, len, false, 0);
}

result<> convert_whole_extent(handle& h, ext4_inode_info& inode, lblk_t lblk) { return turn_extent(h, inode, lblk); }

}  // namespace xip::ext4lite
