// Which block of the device holds which block of a file, and changing that. Linux: ext4_map_blocks (fs/ext4/inode.c).
//
// A crash after the commit of an allocation finds unwritten blocks, which read as zeros; conversion is made only when the bytes are in
// place, or when the blocks have been zeroed (zero=alloc). A write into a hole has blocks reserved in memory first, and puts them into the tree as written ones.
//
// Lock chains:
//   i_rwsem -> i_data_sem -> i_es_lock
//   i_rwsem -> jbd2_handle -> i_data_sem -> i_es_lock
//   invalidate_lock -> i_data_sem
//   dax_entry -> i_data_sem
//   i_data_sem -> dev_ring (a block of the tree is read)
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <xip/base/points.h>

#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/zero.h"

namespace xip::ext4lite {
namespace {

// A whole extent or hole as the tree has it, cut to what was asked for.
[[nodiscard]] extent_map cut_to(extent_map em, lblk_t lblk, std::uint32_t max) noexcept {
  const std::uint32_t skipped = lblk - em.lblk;
  if (em.type != extent_type::hole) em.pblk += skipped;
  em.lblk = lblk;
  em.len = std::min(em.len - skipped, max);
  return em;
}

[[nodiscard]] extent_map answer(const ext4_inode_info& inode, extent_map em, std::uint32_t max) noexcept {
  em.len = std::min(em.len, max);
  const bool committed =
      inode.i_datasync_tid.load(std::memory_order_relaxed) <= sbi_of(inode).s_commit_sequence.load(std::memory_order_relaxed);
  if (!committed) em.flags |= em_dirty;
  return em;
}

// What the medium says; remembered.
[[nodiscard]] result<extent_map> look_up(ext4_inode_info& inode, lblk_t lblk, std::uint32_t max) XIP_REQUIRES_SHARED(inode.i_data_sem) {
  XIP_POINT(ext4_map_blocks, inode.i_ino.value(), lblk.value());
  if (extent_map em; inode.i_es.lookup(lblk, em)) return cut_to(em, lblk, max);
  const extent_map em = has_extents(inode) ? XIP_TRY(find_extent(inode, lblk)) : XIP_TRY(indirect_find(inode, lblk, max));
  inode.i_es.insert(em, inode.i_sb.memory());
  return cut_to(em, lblk, max);
}

[[nodiscard]] extent_type type_for(std::uint32_t flags) noexcept {
  return (flags & map_create_written) != 0 ? extent_type::mapped : extent_type::unwritten;
}

// A block map cannot say "unwritten": what it gets is zeroed before anybody can find it. Directories and symlinks write their blocks whole.
[[nodiscard]] result<extent_map> allocate_in_block_map(handle& h, ext4_inode_info& inode, const extent_map& hole, std::uint32_t flags)
    XIP_REQUIRES(inode.i_data_sem) {
  const auto em = indirect_allocate(h, inode, hole, type_for(flags) == extent_type::unwritten);
  XIP_TRY(mark_inode_dirty_data(h, inode));
  if (!em.has_value()) return em;
  XIP_POINT(ext4_extent_inserted, inode.i_ino.value(), em->lblk.value(), em->pblk.value());
  inode.i_es.insert({em->lblk, em->len, em->pblk, em->type, 0}, inode.i_sb.memory());
  return em;
}

// E, whose blocks were just allocated, fills a hole. They are given back if it cannot be.
[[nodiscard]] result<> add_to_tree(handle& h, ext4_inode_info& inode, const tree_extent& e) XIP_REQUIRES(inode.i_data_sem) {
  const auto inserted = insert_extent(h, inode, e);
  if (!inserted.has_value()) {
    XIP_TRY(free_blocks(h, inode, e.pblk, e.len, false));
    XIP_TRY(mark_inode_dirty_data(h, inode));
    return inserted;
  }
  XIP_POINT(ext4_extent_inserted, inode.i_ino.value(), e.lblk.value(), e.pblk.value());
  inode.i_es.insert({e.lblk, e.len, e.pblk, e.unwritten ? extent_type::unwritten : extent_type::mapped, 0}, inode.i_sb.memory());
  return {};
}

// Where a block for LBLK should lie: behind the one before it, as far as that is known without a lock.
[[nodiscard]] result<pblk_t> goal_for(ext4_inode_info& inode, lblk_t lblk) {
  if (extent_map before; lblk.value() != 0 && inode.i_es.lookup(lblk - 1u, before) && before.type != extent_type::hole)
    return before.pblk + 1;
  shared_guard guard{inode.i_data_sem};
  return find_goal(inode, lblk);
}

// HOLE gets blocks, in one extent, from its beginning on. ENOSPC leaves everything as it was.
[[nodiscard]] result<extent_map> allocate(handle& h, ext4_inode_info& inode, const extent_map& hole, std::uint32_t flags)
    XIP_REQUIRES(inode.i_data_sem) {
  const extent_type type = type_for(flags);
  const bool unwritten = type == extent_type::unwritten;
  const pblk_t goal = XIP_TRY(find_goal(inode, hole.lblk));
  const allocated got = XIP_TRY(alloc_blocks(h, inode, goal, std::min(hole.len, max_len_of(unwritten))));
  XIP_TRY(add_to_tree(h, inode, {hole.lblk, got.count, got.first, unwritten}));
  XIP_TRY(mark_inode_dirty_data(h, inode));
  return extent_map{hole.lblk, got.count, got.first, type, em_new};
}

// No block is left for the tree: the rest of the unwritten extent around [LBLK, LBLK + LEN) is zeroed and all of it becomes written. A
// crash before the commit leaves it unwritten, which reads the same. For slices of a write only: i_rwsem keeps a second one out of those blocks, and a fault that has
// found one unwritten looks again, under i_data_sem, before it zeroes it, and a load after it has put its entry. ENOSPC where the extent goes on behind the end of the
// file: written blocks there are nobody's. Linux: ext4_ext_zeroout, EXT4_EXT_MAY_ZEROOUT.
[[nodiscard]] result<> convert_with_surroundings(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t len)
    XIP_REQUIRES(inode.i_data_sem) {
  const extent_map whole = XIP_TRY(find_extent(inode, lblk));
  const std::uint64_t covered = blocks_for(static_cast<std::uint64_t>(i_size_read(inode)), inode.i_sb.s_blocksize_bits);
  const std::uint64_t asked = std::uint64_t{lblk.value()} + len;
  if (std::uint64_t{whole.lblk.value()} + whole.len > std::max(covered, asked)) return fail(ENOSPC);
  const std::uint32_t before = lblk - whole.lblk;
  const std::uint32_t behind = whole.len - before - len;
  XIP_TRY(zero_blocks(inode, whole.pblk, before));
  XIP_TRY(zero_blocks(inode, whole.pblk + (before + len), behind));
  XIP_TRY(convert_whole_extent(h, inode, lblk));
  inode.i_es.insert({whole.lblk, whole.len, whole.pblk, extent_type::mapped, 0}, inode.i_sb.memory());
  return {};
}

// What is known of EM may be several extents of the tree joined: the first of them is converted.
[[nodiscard]] result<extent_map> convert(handle& h, ext4_inode_info& inode, extent_map em, std::uint32_t flags)
    XIP_REQUIRES(inode.i_data_sem) {
  const bool zeroed = (flags & map_convert_zeroed) != 0;
  if (zeroed) XIP_TRY(zero_blocks(inode, em.pblk, em.len));
  auto done = convert_extent(h, inode, em.lblk, em.len);
  if (!done.has_value() && done.error() == ENOSPC && !zeroed) done = convert_with_surroundings(h, inode, em.lblk, em.len);
  XIP_TRY(mark_inode_dirty_data(h, inode));
  if (!done.has_value()) return fail(done.error());
  em.type = extent_type::mapped;
  inode.i_es.insert(em, inode.i_sb.memory());
  XIP_POINT(ext4_extent_converted, inode.i_ino.value(), em.lblk.value(), em.len);
  return em;
}

// EM, which is written, reads as zeros afterwards; a part of it from its beginning on. Where no block is left for the tree it is zeroed where it lies.
// A crash before the commit leaves it written, with the old bytes, or some zeros. Linux: convert_initialized_extent.
[[nodiscard]] result<extent_map> make_unwritten(handle& h, ext4_inode_info& inode, extent_map em) XIP_REQUIRES(inode.i_data_sem) {
  const auto done = convert_initialized_extent(h, inode, em.lblk, em.len);
  XIP_TRY(mark_inode_dirty_data(h, inode));
  if (!done.has_value() && done.error() == ENOSPC) {
    XIP_TRY(zero_blocks(inode, em.pblk, em.len));
    return em;
  }
  if (!done.has_value()) return fail(done.error());
  em.type = extent_type::unwritten;
  inode.i_es.insert(em, inode.i_sb.memory());
  return em;
}

[[nodiscard]] result<extent_map> change_mapping(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t max, std::uint32_t flags) {
  exclusive_guard guard{inode.i_data_sem};
  const extent_map em = XIP_TRY(look_up(inode, lblk, max));
  if (em.type == extent_type::hole && (flags & (map_create_unwritten | map_create_written)) != 0)
    return has_extents(inode) ? allocate(h, inode, em, flags) : allocate_in_block_map(h, inode, em, flags);
  if (em.type == extent_type::unwritten && (flags & map_convert) != 0) return convert(h, inode, em, flags);
  if (em.type == extent_type::mapped && (flags & map_make_unwritten) != 0) return make_unwritten(h, inode, em);
  return em;
}

// Whether EM, the answer of a look-up, is what FLAGS ask for already.
[[nodiscard]] bool satisfies(const extent_map& em, std::uint32_t flags) noexcept {
  if (em.type == extent_type::hole) return (flags & (map_create_unwritten | map_create_written)) == 0;
  return (flags & (em.type == extent_type::mapped ? map_make_unwritten : map_convert)) == 0;
}

}  // namespace

result<extent_map> map_blocks(handle* h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t max, std::uint32_t flags) {
  if (extent_map em; inode.i_es.lookup(lblk, em) && satisfies(em, flags)) [[likely]]
    return answer(inode, em, max);
  if (lblk.value() == extent_max_block || max == 0) return fail(EFBIG);
  max = std::min(max, extent_max_block - lblk.value());
  if (flags != 0 && h != nullptr) return answer(inode, XIP_TRY(change_mapping(*h, inode, lblk, max, flags)), max);
  shared_guard guard{inode.i_data_sem};
  return answer(inode, XIP_TRY(look_up(inode, lblk, max)), max);
}

std::optional<pblk_t> written_block(const vfs::inode& i, lblk_t lblk) noexcept {
  extent_map em;
  if (!info_of(i).i_es.lookup(lblk, em) || em.type != extent_type::mapped) return std::nullopt;
  return em.pblk;
}

result<extent_map> reserve_hole(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t max, reserved_blocks& r) {
  XIP_TRY(start_changing(h));
  const pblk_t goal = XIP_TRY(goal_for(inode, lblk));
  r = XIP_TRY(reserve_blocks(h, inode, goal, std::min(max, max_len_of(false))));
  return answer(inode, {lblk, r.count, r.first, extent_type::unwritten, em_new}, max);
}

result<> write_reserved(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t len, reserved_blocks& r) {
  exclusive_guard guard{inode.i_data_sem};
  const pblk_t first = r.first;
  XIP_TRY(take_reserved(h, inode, r, len));
  XIP_TRY(add_to_tree(h, inode, {lblk, len, first, false}));
  return mark_inode_dirty_data(h, inode);
}

std::uint32_t credits_for_one_extent(const ext4_inode_info& inode) noexcept {
  if (!has_extents(inode)) return credits_for_block_map;
  const std::uint32_t levels = inode.i_depth.load(std::memory_order_relaxed) + 1u;
  // On each level a node, a new one beside it, and that one's bitmap and descriptor; a root that grows; the data's bitmap and descriptor;
  // the inode; a level that goes.
  return 4 * levels + 3 + 2 + credits_inode + 2;
}

}  // namespace xip::ext4lite
