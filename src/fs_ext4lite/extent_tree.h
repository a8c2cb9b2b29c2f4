// The extent tree of an inode on disk: looking up, inserting, converting, removing. Linux: fs/ext4/extents.c.
//
// Invariants, checked on every block read and kept by every change: a node's entries ascend and do not overlap; an index entry's key is the
// first key of its child; below the root no node is empty; depth counts down to 0 and is at most 5.
//
// Every change is made of steps that each leave a valid tree: growing by a level, splitting a node, cutting an extent in two, changing one
// entry. A failure between two steps (no space for an index block, an I/O error) therefore leaves a tree that says the same as before, or a
// part of the change. The root lies in the inode: who calls a function that changes the tree calls mark_inode_dirty_data afterwards under
// the same handle, when it failed too.
#pragma once

#include <array>
#include <cstdint>

#include <xip/base/annotations.h>
#include <xip/base/result.h>
#include <xip/dev/buffer_cache.h>

#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/extent_tree_node.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite {

struct tree_level {
  dev::buffer_ref buffer;  // null: the root
  std::int32_t at = -1;    // the entry that the way goes through, or ends at; -1: the leaf has none at or before
};

// The way from the root to the leaf where a block belongs.
struct tree_path {
  std::array<tree_level, extent_max_depth + 1> level;
  std::uint32_t depth = 0;                 // of the leaf: level[depth]
  std::uint64_t limit = extent_max_block;  // the leaf's entries end at or before it: the first block of the leaf to its right

  [[nodiscard]] tree_level& leaf() noexcept { return level[depth]; }
  [[nodiscard]] const tree_level& leaf() const noexcept { return level[depth]; }
};

// ---- extent_tree.cc: reading -------------------------------------------------------------------------------------------------------

// An empty root in INODE.
void init_extent_root(ext4_inode_info& inode) noexcept;
// The root, which is whole, has changed its depth.
void note_depth(ext4_inode_info& inode) noexcept XIP_REQUIRES(inode.i_data_sem);
// The root is whole: magic, depth, counts, order. EUCLEAN.
[[nodiscard]] result<> check_extent_root(const ext4_inode_info& inode);
// The way to LBLK; every node on it is checked. EUCLEAN, EIO, ENOMEM.
[[nodiscard]] result<tree_path> find_path(ext4_inode_info& inode, lblk_t lblk) XIP_REQUIRES_SHARED(inode.i_data_sem);
[[nodiscard]] tree_node node_at(const ext4_inode_info& inode, const tree_path& path, std::uint32_t level) noexcept;
[[nodiscard]] inline tree_node leaf_of(const ext4_inode_info& inode, const tree_path& path) noexcept {
  return node_at(inode, path, path.depth);
}
// The extent that holds LBLK, or the hole around it (pblk 0, hole): from its first block to the next extent's.
[[nodiscard]] result<extent_map> find_extent(ext4_inode_info& inode, lblk_t lblk) XIP_REQUIRES_SHARED(inode.i_data_sem);
// Where a new block LBLK should go so that it continues what is there. Linux: ext4_ext_find_goal.
[[nodiscard]] result<pblk_t> find_goal(ext4_inode_info& inode, lblk_t lblk) XIP_REQUIRES_SHARED(inode.i_data_sem);

// ---- extent_tree_grow.cc: write access and room --------------------------------------------------------------------------------------

[[nodiscard]] result<tree_node_writer> write_node(handle& h, ext4_inode_info& inode, tree_path& path, std::uint32_t level)
    XIP_REQUIRES(inode.i_data_sem);
[[nodiscard]] result<> node_written(handle& h, tree_path& path, std::uint32_t level);
// The first key of node LEVEL is KEY now: so say its ancestors.
[[nodiscard]] result<> correct_keys(handle& h, ext4_inode_info& inode, tree_path& path, std::uint32_t level, lblk_t key)
    XIP_REQUIRES(inode.i_data_sem);
// The way to LBLK, whose leaf has room for one entry more. FLAGS: alloc_use_reserved. ENOSPC.
[[nodiscard]] result<tree_path> make_room(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t flags)
    XIP_REQUIRES(inode.i_data_sem);
// A root with one child whose entries fit into it takes them over.
[[nodiscard]] result<> shrink_depth(handle& h, ext4_inode_info& inode) XIP_REQUIRES(inode.i_data_sem);

// ---- extent_tree_insert.cc -----------------------------------------------------------------------------------------------------------

// E fills (a part of) a hole; joined with its neighbours in the leaf where they continue each other. ENOSPC: nothing was inserted.
[[nodiscard]] result<> insert_extent(handle& h, ext4_inode_info& inode, const tree_extent& e) XIP_REQUIRES(inode.i_data_sem);
// LEN blocks from LBLK, or as many of them (LEN then) as its unwritten extent has, become written, and nothing else does.
// ENOSPC: no block for the tree; they lie in an unwritten extent still, which may have become smaller.
[[nodiscard]] result<> convert_extent(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t& len) XIP_REQUIRES(inode.i_data_sem);
// The other way round: LEN blocks from LBLK, or as many of them as its written extent and an unwritten one can have, become unwritten. ENOSPC: no block
// for the tree; they are written still, as they were.
[[nodiscard]] result<> convert_initialized_extent(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t& len)
    XIP_REQUIRES(inode.i_data_sem);
// The extent that holds LBLK becomes written as it is: needs no space.
[[nodiscard]] result<> convert_whole_extent(handle& h, ext4_inode_info& inode, lblk_t lblk) XIP_REQUIRES(inode.i_data_sem);
// The extent that begins at or before LBLK and goes beyond it becomes two, cut at LBLK. FLAGS as make_room.
[[nodiscard]] result<> cut_extent(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t flags) XIP_REQUIRES(inode.i_data_sem);

// Joins entry I of LEAF with the one behind it if they continue each other. True: it is gone.
bool join_with_next(tree_node_writer& leaf, std::uint32_t i) noexcept;

// ---- extent_tree_shift.cc ------------------------------------------------------------------------------------------------------------

// Behind the last block of the tree.
[[nodiscard]] result<std::uint64_t> end_of_tree(ext4_inode_info& inode) XIP_REQUIRES_SHARED(inode.i_data_sem);
// Every leaf from the one where FROM belongs can be read and is good. EUCLEAN, EIO, ENOMEM.
[[nodiscard]] result<> check_leaves_from(ext4_inode_info& inode, lblk_t from) XIP_REQUIRES_SHARED(inode.i_data_sem);
// The extents at or behind FROM, of the first leaf that may have some, move left by BLOCKS; there is a hole of so many before FROM, or they were moved before.
// The cache forgets them. FROM becomes where the next leaf begins. False: there is none. credits: credits_for_shift.
[[nodiscard]] result<bool> shift_leaf_left(handle& h, ext4_inode_info& inode, std::uint64_t& from, std::uint32_t blocks)
    XIP_REQUIRES(inode.i_data_sem);
// The extents at or behind FROM, of the last leaf that has some before END, move right by BLOCKS; what lies from END on was moved before, and no extent
// goes across FROM. The cache forgets them. END becomes where that leaf began. False: nothing is left to move. credits: credits_for_shift.
[[nodiscard]] result<bool> shift_leaf_right(handle& h, ext4_inode_info& inode, lblk_t from, std::uint64_t& end, std::uint32_t blocks)
    XIP_REQUIRES(inode.i_data_sem);

// ---- extent_tree_remove.cc -----------------------------------------------------------------------------------------------------------

// The last stretch of blocks in [FIRST, LAST], at most a block group long, leaves tree and cache and is freed. False: there was none
// (left). credits: credits_for_removal.
[[nodiscard]] result<bool> remove_last_stretch(handle& h, ext4_inode_info& inode, lblk_t first, lblk_t last) XIP_REQUIRES(inode.i_data_sem);

// Blocks of a directory, which are metadata, that go at once: each is named in the journal.
inline constexpr std::uint32_t most_metadata_freed = 512;
// A path's nodes, two bitmaps and descriptors for each node or stretch that is freed or allocated, the inode.
inline constexpr std::uint32_t credits_for_removal = 5 * 3 + 4 + 2 + credits_inode;
// Beside that, where an extent is cut in two: a node split on each level, or a root that grows, each a new node, its bitmap and descriptor.
inline constexpr std::uint32_t credits_for_punch = credits_for_removal + 6 * 3;
// A path's nodes, the inode.
inline constexpr std::uint32_t credits_for_shift = extent_max_depth + credits_inode;

}  // namespace xip::ext4lite
