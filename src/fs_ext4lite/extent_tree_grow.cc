// Room in an extent tree: splitting nodes, growing and losing levels. Each step leaves a valid tree that says what it said before.
#include <algorithm>

#include <xip/base/points.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/extent_tree.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] std::byte* root_bytes(ext4_inode_info& inode) noexcept { return reinterpret_cast<std::byte*>(inode.i_data); }

// A block for the tree, near NEAR. Nothing points at it yet.
struct fresh_node {
  dev::buffer_ref buffer;
  tree_node_writer writer;
};
[[nodiscard]] result<fresh_node> new_node(handle& h, ext4_inode_info& inode, pblk_t near, std::uint32_t flags) {
  const allocated block = XIP_TRY(alloc_blocks(h, inode, near, 1, flags | alloc_metadata));
  auto buffer = sbi_of(inode).s_buffers->get(block.first);
  auto bytes = buffer.has_value() ? get_create_access(h, **buffer) : result<std::span<std::byte>>{fail(buffer.error())};
  if (!bytes.has_value()) {
    XIP_TRY(free_blocks(h, inode, block.first, 1, true));
    return fail(bytes.error());
  }
  std::ranges::fill(*bytes, std::byte{0});
  set_block_trigger(inode, block_kind::extent_tree, **buffer);
  return fresh_node{std::move(*buffer), tree_node_writer{bytes->data()}};
}

// Where a block of the tree below or beside LEVEL should lie.
[[nodiscard]] pblk_t goal_near(const ext4_inode_info& inode, const tree_path& path, std::uint32_t level) noexcept {
  if (level != 0) return path.level[level].buffer->block();
  const tree_node root = node_at(inode, path, 0);
  return root.depth() == 0 ? root.extent_at(0).pblk : root.child_at(0);
}

// The root's entries move into a block of their own, which becomes the root's only child. The root is full.
[[nodiscard]] result<> grow_depth(handle& h, ext4_inode_info& inode, tree_path& path, std::uint32_t flags) XIP_REQUIRES(inode.i_data_sem) {
  if (path.depth >= extent_max_depth) return fail(EFBIG);
  const fresh_node fresh = XIP_TRY(new_node(h, inode, goal_near(inode, path, 0), flags));
  tree_node_writer root{root_bytes(inode)};
  tree_node_writer child = fresh.writer;
  child.take(root.view(), 0, root.view().entries(), block_capacity(inode.i_sb.s_blocksize));
  XIP_TRY(dirty_metadata(h, *fresh.buffer));
  const lblk_t key = root.view().key_at(0);
  root.set_header(0, root_capacity, path.depth + 1);
  note_depth(inode);
  root.insert_index(0, key, fresh.buffer->block());
  return {};
}

// The right part of node LEVEL, which is full, moves into a new node beside it; its parent has room. Where entries are being appended, one
// entry moves, so that nodes that were filled in order stay full.
[[nodiscard]] result<> split_node(handle& h, ext4_inode_info& inode, tree_path& path, std::uint32_t level, std::uint32_t flags)
    XIP_REQUIRES(inode.i_data_sem) {
  tree_node_writer node = XIP_TRY(write_node(h, inode, path, level));
  tree_node_writer parent = XIP_TRY(write_node(h, inode, path, level - 1));
  const fresh_node fresh = XIP_TRY(new_node(h, inode, goal_near(inode, path, level), flags));
  const std::uint32_t entries = node.view().entries();
  const bool appending = path.level[level].at + 1 == static_cast<std::int32_t>(entries);
  const std::uint32_t kept = appending ? entries - 1 : entries / 2;
  const lblk_t key = node.view().key_at(kept);
  tree_node_writer right = fresh.writer;
  right.take(node.view(), kept, entries - kept, block_capacity(inode.i_sb.s_blocksize));
  node.cut(kept);
  parent.insert_index(static_cast<std::uint32_t>(path.level[level - 1].at) + 1, key, fresh.buffer->block());
  XIP_TRY(dirty_metadata(h, *fresh.buffer));
  XIP_TRY(node_written(h, path, level));
  return node_written(h, path, level - 1);
}

}  // namespace

result<tree_node_writer> write_node(handle& h, ext4_inode_info& inode, tree_path& path, std::uint32_t level) {
  if (level == 0) return tree_node_writer{root_bytes(inode)};
  dev::buffer& buffer = *path.level[level].buffer;
  const std::span<std::byte> bytes = XIP_TRY(get_write_access(h, buffer));
  set_block_trigger(inode, block_kind::extent_tree, buffer);
  return tree_node_writer{bytes.data()};
}

result<> node_written(handle& h, tree_path& path, std::uint32_t level) {
  if (level == 0) return {};
  return dirty_metadata(h, *path.level[level].buffer);
}

result<> correct_keys(handle& h, ext4_inode_info& inode, tree_path& path, std::uint32_t level, lblk_t key) {
  while (level-- != 0) {
    tree_node_writer ancestor = XIP_TRY(write_node(h, inode, path, level));
    const auto at = static_cast<std::uint32_t>(path.level[level].at);
    ancestor.set_key(at, key);
    XIP_TRY(node_written(h, path, level));
    if (at != 0) break;
  }
  return {};
}

result<tree_path> make_room(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t flags) {
  // Each turn makes room on one level, from the top down to the leaf; a tree that grew has one level more.
  for (std::uint32_t turn = 0; turn <= 2 * (extent_max_depth + 1u); ++turn) {
    tree_path path = XIP_TRY(find_path(inode, lblk));
    std::uint32_t level = path.depth;
    while (level != 0 && node_at(inode, path, level).full()) --level;
    if (level == path.depth && !leaf_of(inode, path).full()) return path;
    if (node_at(inode, path, level).full())
      XIP_TRY(grow_depth(h, inode, path, flags));
    else
      XIP_TRY(split_node(h, inode, path, level + 1, flags));
  }
  return corrupted(inode, "extent tree: splitting its nodes makes no room");
}

result<> shrink_depth(handle& h, ext4_inode_info& inode) {
  for (;;) {
    tree_node_writer root{root_bytes(inode)};
    if (root.view().depth() == 0 || root.view().entries() != 1) return {};
    pblk_t block;
    held_bitmaps held;
    {
      const tree_path path = XIP_TRY(find_path(inode, root.view().key_at(0)));
      const tree_node child = node_at(inode, path, 1);
      if (child.entries() > root_capacity) return {};
      block = path.level[1].buffer->block();
      held = XIP_TRY(prepare_to_free(h, block, 1));
      root.take(child, 0, child.entries(), root_capacity);
      note_depth(inode);
    }
    XIP_TRY(free_blocks(h, inode, block, 1, true));
  }
}

}  // namespace xip::ext4lite
