// Collapsing and inserting ranges. Linux: ext4_collapse_range, ext4_insert_range (fs/ext4/extents.c).
//
// Small files change in one transaction: a crash finds the old file or the new one. What takes more than 64 steps, each a stretch of blocks that
// goes or a leaf that moves, commits in between, and each such state is a file whose extents are in order, of a size that covers them all: for a
// collapse the range is a hole first, then the hole moves to the right, leaf by leaf, and with the last one the size becomes less; for an insertion
// the size becomes more with the first, and a hole moves from the end to its place. No byte that belongs to the file is lost or shown twice. What
// lies between the end and the end of its block is zeroed before, as no state may show it.
//
// Pages from the range on are in no page table meanwhile, and what was stored through them is durable before they lose their entries: they come back by faults, at other places.
// Private copies stay at theirs, but behind the end there are none.
//
// Before the first change every leaf that will move is looked at: a damaged tree, or one that cannot be read, is left as it is. In the end the move is made
// durable, before anybody can write over blocks in place: bytes that are written over others must not be found, after a crash, where those had been.
//
// Lock chains:
//   i_rwsem -> invalidate_lock -> jbd2_handle -> i_data_sem
//   i_rwsem -> invalidate_lock -> i_data_sem
#include "fs_ext4lite/shift_range.h"

#include <utility>

#include <xip/xip/mapped.h>
#include <xip/xip/mapping.h>

#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/punch.h"

namespace xip::ext4lite {
namespace {

// Others' commits need not wait longer than for so many steps, stretches that went before counted too.
inline constexpr std::uint32_t steps_per_handle = 64;

// The range in blocks.
struct block_range {
  lblk_t first;
  std::uint32_t count;
  [[nodiscard]] std::uint64_t end() const noexcept { return std::uint64_t{first.value()} + count; }
};

[[nodiscard]] block_range blocks_of(const ext4_inode_info& inode, loff_t offset, loff_t length) noexcept {
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  return {lblk_of(offset, bits), static_cast<std::uint32_t>(length >> bits)};
}

[[nodiscard]] bool is_aligned(const ext4_inode_info& inode, loff_t offset, loff_t length) noexcept {
  return ((offset | length) & (loff_t{inode.i_sb.s_blocksize} - 1)) == 0;
}

// i_size and i_disksize become SIZE, or stay both.
[[nodiscard]] result<> store_size(handle& h, ext4_inode_info& inode, loff_t size) XIP_REQUIRES(inode.i_data_sem) {
  XIP_TRY(store_disksize(h, inode, size));
  i_size_write(inode, size);
  return {};
}

// Whether blocks from OFFSET on can move, by GROWTH blocks to the right. EINVAL: what is preallocated behind the end would go too far.
[[nodiscard]] result<> check_move(ext4_inode_info& inode, loff_t offset, std::uint64_t growth) XIP_REQUIRES(inode.i_rwsem) {
  shared_guard guard{inode.i_data_sem};
  XIP_TRY(check_leaves_from(inode, lblk_of(offset, inode.i_sb.s_blocksize_bits)));
  return XIP_TRY(end_of_tree(inode)) + growth > extent_max_block ? result<>{fail(EINVAL)} : result<>{};
}

// The pages of what will move have a layouts_guard.
[[nodiscard]] result<> prepare_move(ext4_inode_info& inode, loff_t offset) XIP_REQUIRES(inode.i_rwsem, inode.i_mapping.invalidate_lock) {
  const loff_t size = i_size_read(inode);
  XIP_TRY(prepare_range_change(inode, pages_behind(offset)));
  return xip_zero_range(inode, size, -size & (loff_t{inode.i_sb.s_blocksize} - 1), ext4_xip_ops);
}

// Blocks have moved, or some of them when MOVED failed. Where they lie is durable before anybody can write over them in place: a crash would find those bytes
// at the old place else, instead of what had been synced there.
[[nodiscard]] result<> commit_move(ext4_inode_info& inode, result<> moved) XIP_REQUIRES(inode.i_rwsem, inode.i_mapping.invalidate_lock) {
  if (XIP_EXHIBIT(move_not_committed)) return moved;
  const auto committed = commit_tid(sbi_of(inode), inode.i_sync_tid.load(std::memory_order_relaxed));
  return moved.has_value() ? committed : moved;
}

// The tree has changed, DONE says how far: so says the inode, in each case.
template <class T>
[[nodiscard]] result<T> with_inode_written(handle& h, ext4_inode_info& inode, result<T> done) XIP_REQUIRES(inode.i_data_sem) {
  XIP_TRY(mark_inode_dirty_data(h, inode));
  return done;
}

// ---- collapse

// As many leaves from FROM on as go into H's transaction. True: there are more.
[[nodiscard]] result<bool> shift_some_left(step_handle& h, ext4_inode_info& inode, std::uint64_t& from, std::uint32_t blocks,
                                           loff_t new_size) {
  exclusive_guard guard{inode.i_data_sem};
  result<bool> more = true;
  while (more.value_or(false) && h.another_step(steps_per_handle)) more = shift_leaf_left(*h, inode, from, blocks);
  if (!more.has_value() || *more) return with_inode_written(*h, inode, more);
  XIP_TRY(with_inode_written(*h, inode, shrink_depth(*h, inode)));
  XIP_TRY(store_size(*h, inode, new_size));
  return false;
}

// The hole goes into the same transaction as what moves over it, if they have room there.
[[nodiscard]] result<> collapse_blocks(ext4_inode_info& inode, const block_range& range, loff_t new_size) {
  step_handle h{sbi_of(inode), credits_for_punch};
  XIP_TRY(remove_blocks(h, inode, range.first, range.end()));
  for (std::uint64_t from = range.end();;) {
    if (!XIP_TRY(shift_some_left(h, inode, from, range.count, new_size))) return {};
    XIP_TRY(h.restart());
  }
}

// ---- insert

// No extent goes across the place, and the size covers what will move.
[[nodiscard]] result<> open_gap(handle& h, ext4_inode_info& inode, const block_range& range, loff_t new_size) {
  exclusive_guard guard{inode.i_data_sem};
  const extent_map em = XIP_TRY(find_extent(inode, range.first));
  if (em.type != extent_type::hole && em.lblk < range.first)
    XIP_TRY(with_inode_written(h, inode, cut_extent(h, inode, range.first, alloc_use_reserved)));
  return store_size(h, inode, new_size);
}

// As many leaves before END as go into H's transaction. True: there are more.
[[nodiscard]] result<bool> shift_some_right(step_handle& h, ext4_inode_info& inode, const block_range& range, std::uint64_t& end) {
  exclusive_guard guard{inode.i_data_sem};
  result<bool> more = true;
  while (more.value_or(false) && h.another_step(steps_per_handle)) more = shift_leaf_right(*h, inode, range.first, end, range.count);
  return with_inode_written(*h, inode, more);
}

[[nodiscard]] result<> insert_blocks(ext4_inode_info& inode, const block_range& range, loff_t new_size) {
  step_handle h{sbi_of(inode), credits_for_punch + credits_for_shift};
  for (unsigned attempt = 0;; ++attempt) {
    XIP_TRY(h.restart());
    const auto opened = open_gap(*h, inode, range, new_size);
    if (opened.has_value()) break;
    h.stop();
    if (opened.error() != ENOSPC || !should_retry_alloc(sbi_of(inode), attempt)) return opened;
  }
  std::uint64_t end = extent_max_block;
  while (XIP_TRY(shift_some_right(h, inode, range, end))) XIP_TRY(h.restart());
  return {};
}

}  // namespace

result<> ext4_collapse_range(vfs::file& f, ext4_inode_info& inode, loff_t offset, loff_t length) {
  if (!has_extents(inode)) return fail(EOPNOTSUPP);
  if (!is_aligned(inode, offset, length)) return fail(EINVAL);
  const loff_t size = i_size_read(inode);
  if (offset + length >= size) return fail(EINVAL);
  XIP_TRY(check_move(inode, offset, 0));
  XIP_TRY(vfs::file_modified(f));
  const layouts_guard guard{inode, pages_behind(offset)};
  XIP_TRY(prepare_move(inode, offset));
  XIP_TRY(commit_move(inode, collapse_blocks(inode, blocks_of(inode, offset, length), size - length)));
  const page_range behind = pages_behind(size - length);
  xip_drop_range(inode, behind.first, behind.last, true);
  return {};
}

result<> ext4_insert_range(vfs::file& f, ext4_inode_info& inode, loff_t offset, loff_t length) {
  if (!has_extents(inode)) return fail(EOPNOTSUPP);
  if (!is_aligned(inode, offset, length)) return fail(EINVAL);
  const loff_t size = i_size_read(inode);
  if (length > inode.i_sb.s_maxbytes - size) return fail(EFBIG);
  if (offset >= size) return fail(EINVAL);
  const block_range range = blocks_of(inode, offset, length);
  XIP_TRY(check_move(inode, offset, range.count));
  XIP_TRY(vfs::file_modified(f));
  const layouts_guard guard{inode, pages_behind(offset)};
  XIP_TRY(prepare_move(inode, offset));
  return commit_move(inode, insert_blocks(inode, range, size + length));
}

}  // namespace xip::ext4lite
