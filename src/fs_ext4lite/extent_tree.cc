// Looking up in an extent tree. Every block is checked before it is used: its shape and its place in the tree each time, its checksum and
// every entry once while it is cached. The walk is as long as the root says, at most 5 levels, and each child must be one level lower, so
// that no loop on the medium keeps it going.
#include "fs_ext4lite/extent_tree.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "fs_ext4lite/checksum.h"

namespace xip::ext4lite {
namespace {

// Where a block stands in the tree, as its parent says.
struct place {
  pblk_t block;  // 0: the root
  std::uint32_t depth;
  lblk_t key;           // its first entry's
  std::uint64_t limit;  // its entries end at or before it
};

[[nodiscard]] std::string said_of(const place& where) {
  if (where.block.value() == 0) return fmt::format("extent root (depth {})", where.depth);
  return fmt::format("extent block {} (depth {})", where.block.value(), where.depth);
}

// A block has room for CAPACITY entries; e2fsprogs lets its header say up to two fewer.
[[nodiscard]] bool plausible_max(std::uint32_t max, std::uint32_t capacity) noexcept { return max <= capacity && max + 2 >= capacity; }

[[nodiscard]] result<> check_header(const ext4_inode_info& inode, const tree_node& node, const place& where) {
  const ext4_extent_header& h = node.header();
  if (h.eh_magic != extent_magic)
    return corrupted(inode, fmt::format("{}: magic {:#x}, expected {:#x}", said_of(where), h.eh_magic.load(), extent_magic));
  if (node.depth() != where.depth) return corrupted(inode, fmt::format("{}: it says depth {}", said_of(where), node.depth()));
  const std::uint32_t capacity = block_capacity(inode.i_sb.s_blocksize);
  if (!plausible_max(node.max(), capacity))
    return corrupted(inode, fmt::format("{}: room for {} entries, expected {}", said_of(where), node.max(), capacity));
  if (node.entries() == 0 || node.entries() > node.max())
    return corrupted(inode, fmt::format("{}: {} entries, expected 1 to {}", said_of(where), node.entries(), node.max()));
  if (node.key_at(0) != where.key)
    return corrupted(inode, fmt::format("{}: begins at {}, its parent says {}", said_of(where), node.key_at(0).value(), where.key.value()));
  return {};
}

// Entry I of a leaf lies between its neighbours and on blocks that a file may own.
[[nodiscard]] result<> check_extent(const ext4_inode_info& inode, const tree_node& leaf, std::uint32_t i, std::uint64_t limit,
                                    const place& where) {
  const tree_extent e = leaf.extent_at(i);
  const std::uint64_t next = i + 1 < leaf.entries() ? leaf.key_at(i + 1).value() : limit;
  if (e.len == 0 || e.end() > next)
    return corrupted(
        inode, fmt::format("{}: extent {} has {} blocks from {}, the next begins at {}", said_of(where), i, e.len, e.lblk.value(), next));
  if (!data_blocks_valid(sbi_of(inode), e.pblk, e.len, inode.i_ino))
    return corrupted(inode, fmt::format("{}: extent {} lies on blocks {} to {}, which are no file's", said_of(where), i, e.pblk.value(),
                                        e.pblk.value() + e.len - 1));
  return {};
}

[[nodiscard]] result<> check_index(const ext4_inode_info& inode, const tree_node& node, std::uint32_t i, std::uint64_t limit,
                                   const place& where) {
  const std::uint64_t next = i + 1 < node.entries() ? node.key_at(i + 1).value() : limit;
  if (node.key_at(i).value() >= next)
    return corrupted(inode,
                     fmt::format("{}: index entry {} begins at {}, the next at {}", said_of(where), i, node.key_at(i).value(), next));
  if (!data_blocks_valid(sbi_of(inode), node.child_at(i), 1))
    return corrupted(inode,
                     fmt::format("{}: index entry {} points at block {}, which is no file's", said_of(where), i, node.child_at(i).value()));
  return {};
}

[[nodiscard]] result<> check_entry(const ext4_inode_info& inode, const tree_node& node, std::uint32_t i, std::uint64_t limit,
                                   const place& where) {
  return node.depth() == 0 ? check_extent(inode, node, i, limit, where) : check_index(inode, node, i, limit, where);
}

[[nodiscard]] result<> check_entries(const ext4_inode_info& inode, const tree_node& node, std::uint64_t limit, const place& where) {
  for (std::uint32_t i = 0; i < node.entries(); ++i) XIP_TRY(check_entry(inode, node, i, limit, where));
  return {};
}

[[nodiscard]] result<dev::buffer_ref> read_node(ext4_inode_info& inode, const place& where) {
  dev::buffer_ref buffer = XIP_TRY(sbi_of(inode).s_buffers->read(where.block));
  const tree_node node{buffer->data().data()};
  XIP_TRY(check_header(inode, node, where));
  if (!buffer->verified()) {
    if (!block_checksum_ok(inode, block_kind::extent_tree, where.block, buffer->data()))
      return corrupted(inode, fmt::format("{}: wrong checksum", said_of(where)));
    XIP_TRY(check_entries(inode, node, where.limit, where));
    buffer->set_verified();
  }
  return buffer;
}

[[nodiscard]] const std::byte* root_bytes(const ext4_inode_info& inode) noexcept {
  return reinterpret_cast<const std::byte*>(inode.i_data);
}

// What the root's header says; its entries are looked at on the way.
[[nodiscard]] result<> check_root_header(const ext4_inode_info& inode) {
  const tree_node root{root_bytes(inode)};
  const std::uint16_t magic = root.header().eh_magic;
  const bool good = magic == extent_magic && root.depth() <= extent_max_depth && plausible_max(root.max(), root_capacity) &&
                    root.entries() <= root.max() && (root.entries() != 0 || root.depth() == 0);
  if (good) return {};
  return corrupted(inode, fmt::format("extent root: magic {:#x}, depth {}, {} of {} entries; expected {:#x}, at most {}, at most {}", magic,
                                      root.depth(), root.entries(), root.max(), extent_magic, extent_max_depth, root_capacity));
}

[[nodiscard]] extent_map hole_map(lblk_t first, std::uint64_t end) noexcept {
  return {first, static_cast<std::uint32_t>(end - first.value()), pblk_t{0}, extent_type::hole, 0};
}

}  // namespace

void init_extent_root(ext4_inode_info& inode) noexcept XIP_NO_THREAD_SAFETY_ANALYSIS {
  std::ranges::fill(inode.i_data, 0u);
  tree_node_writer{reinterpret_cast<std::byte*>(inode.i_data)}.set_header(0, root_capacity, 0);
  note_depth(inode);
}

void note_depth(ext4_inode_info& inode) noexcept {
  inode.i_depth.store(static_cast<std::uint8_t>(tree_node{root_bytes(inode)}.depth()), std::memory_order_relaxed);
}

result<> check_extent_root(const ext4_inode_info& inode) {
  XIP_TRY(check_root_header(inode));
  const tree_node root{root_bytes(inode)};
  return check_entries(inode, root, extent_max_block, {pblk_t{0}, root.depth(), lblk_t{0}, extent_max_block});
}

tree_node node_at(const ext4_inode_info& inode, const tree_path& path, std::uint32_t level) noexcept {
  return tree_node{level == 0 ? root_bytes(inode) : path.level[level].buffer->data().data()};
}

result<tree_path> find_path(ext4_inode_info& inode, lblk_t lblk) {
  XIP_TRY(check_root_header(inode));
  result<tree_path> way{std::in_place};  // where it is returned: a path is long
  tree_path& path = *way;
  path.depth = tree_node{root_bytes(inode)}.depth();
  place where{pblk_t{0}, path.depth, lblk_t{0}, extent_max_block};
  for (std::uint32_t level = 0;; ++level) {
    const tree_node node = node_at(inode, path, level);
    const std::int32_t found = node.search(lblk);
    path.level[level].at = level < path.depth ? std::max(found, 0) : found;  // before all of them: the first child
    if (path.level[level].at < 0) break;
    const auto at = static_cast<std::uint32_t>(path.level[level].at);
    XIP_TRY(check_entry(inode, node, at, path.limit, where));
    if (level == path.depth) break;
    if (at + 1 < node.entries()) path.limit = node.key_at(at + 1).value();
    where = {node.child_at(at), node.depth() - 1, node.key_at(at), path.limit};
    path.level[level + 1].buffer = XIP_TRY(read_node(inode, where));
  }
  return way;
}

result<extent_map> find_extent(ext4_inode_info& inode, lblk_t lblk) {
  const tree_path path = XIP_TRY(find_path(inode, lblk));
  const tree_node leaf = leaf_of(inode, path);
  std::uint64_t hole_begin = 0;
  if (path.leaf().at >= 0) {
    const tree_extent e = leaf.extent_at(static_cast<std::uint32_t>(path.leaf().at));
    if (lblk.value() < e.end()) return extent_map{e.lblk, e.len, e.pblk, e.unwritten ? extent_type::unwritten : extent_type::mapped, 0};
    hole_begin = e.end();
  }
  const auto next = static_cast<std::uint32_t>(path.leaf().at + 1);
  return hole_map(lblk_t{static_cast<std::uint32_t>(hole_begin)}, next < leaf.entries() ? leaf.key_at(next).value() : path.limit);
}

result<pblk_t> find_goal(ext4_inode_info& inode, lblk_t lblk) {
  // Most often right behind what is known of the block before.
  if (extent_map before; lblk.value() != 0 && inode.i_es.lookup(lblk - 1u, before) && before.type != extent_type::hole)
    return before.pblk + 1;
  const tree_path path = XIP_TRY(find_path(inode, lblk));
  const tree_node leaf = leaf_of(inode, path);
  if (leaf.entries() != 0) {
    const tree_extent e = leaf.extent_at(static_cast<std::uint32_t>(std::max(path.leaf().at, 0)));
    if (lblk >= e.lblk) return e.pblk + (lblk - e.lblk);
    const std::uint32_t before = e.lblk - lblk;
    return e.pblk.value() > before ? e.pblk - before : e.pblk;
  }
  return path.depth != 0 ? path.leaf().buffer->block() : goal_of_inode(inode);
}

}  // namespace xip::ext4lite
