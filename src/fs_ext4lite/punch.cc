// Punching holes and zeroing ranges. Linux: ext4_punch_hole, ext4_zero_range (fs/ext4/extents.c, fs/ext4/inode.c).
//
// The size does not say that anybody should stay out, as it does in a truncate: only the locks keep reads, writes and faults away. No
// record is needed against a crash: each committed state is a file of which a part is zeros already. The bytes at the edges, in blocks that stay, are
// zeroed in place and drained first; whole blocks go in steps, each a change of the tree that is good by itself. A block that goes is not
// handed out again before that is durable, so that what a crash brings back has its bytes still.
//
// Pages that lose their blocks are in no page table before the first of them goes, and cannot come back before the last has gone. At the edges, where a block stays, its page may
// stay mapped: it is zeroed under whoever stores there, as two writes would meet.
//
// Lock chains:
//   i_rwsem -> invalidate_lock -> jbd2_handle -> dax_entry -> i_data_sem
//   i_rwsem -> invalidate_lock -> i_data_sem
//   i_rwsem -> invalidate_lock -> dax_entry -> i_mmap_rwsem
#include "fs_ext4lite/punch.h"

#include <algorithm>

#include <xip/xip/mapped.h>
#include <xip/xip/mapping.h>

#include "fs_ext4lite/allocate_range.h"
#include "fs_ext4lite/block_remover.h"
#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/indirect.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] loff_t round_down(const ext4_inode_info& inode, loff_t pos) noexcept { return pos & -loff_t{inode.i_sb.s_blocksize}; }
[[nodiscard]] loff_t round_up(const ext4_inode_info& inode, loff_t pos) noexcept {
  return round_down(inode, pos + inode.i_sb.s_blocksize - 1);
}

// What of [OFFSET, END) lies in blocks that also hold something else becomes zeros on the medium. Linux: ext4_zero_partial_blocks.
[[nodiscard]] result<> zero_partial_blocks(ext4_inode_info& inode, loff_t offset, loff_t end) {
  const loff_t head_end = std::min(round_up(inode, offset), end);
  if (head_end > offset) XIP_TRY(xip_zero_range(inode, offset, head_end - offset, ext4_xip_ops));
  const loff_t tail = std::max(round_down(inode, end), head_end);
  return tail < end ? xip_zero_range(inode, tail, end - tail, ext4_xip_ops) : result<>{};
}

// Where a hole that is to reach END ends: behind the last block there is no use in one, and a block map has no last block that Linux would take out.
[[nodiscard]] loff_t hole_end(const ext4_inode_info& inode, loff_t end) noexcept {
  if (const loff_t size = i_size_read(inode); end >= size) end = round_up(inode, size);
  if (has_extents(inode)) return end;
  return std::min(end, indirect_max_bytes(inode.i_sb.s_blocksize_bits) - inode.i_sb.s_blocksize);
}

}  // namespace

result<> remove_blocks(step_handle& h, ext4_inode_info& inode, lblk_t first, std::uint64_t end) {
  block_remover remover{h, inode, first, end};
  for (unsigned attempt = 0;;) {
    XIP_TRY(h.restart());
    const auto more = remover.remove_some();
    if (more.has_value()) {
      if (!*more) return {};
      attempt = 0;
      continue;
    }
    h.stop();
    if (more.error() != ENOSPC || !should_retry_alloc(sbi_of(inode), attempt++)) return fail(more.error());
  }
}

// What is DIRTY is flushed although much of it goes: blocks that only move keep their bytes, and so do those that stay because a change fails in its middle. Nobody would know
// any more that they were stored to. An fsync that finds no entry need not wait for this: the entry goes when its bytes have arrived.
result<> prepare_range_change(ext4_inode_info& inode, const page_range& pages) {
  inode.i_rwsem.assert_held();
  inode.i_mapping.invalidate_lock.assert_held();
  drop_window(inode);
  {
    handle h = XIP_TRY(journal_start(sbi_of(inode), credits_inode));
    XIP_TRY(start_changing(h));
  }
  if (pages.empty()) return {};
  XIP_TRY(xip_writeback_range(inode, pages.start(), pages.end()));
  xip_drop_range(inode, pages.first, pages.last, false);
  return {};
}

result<> ext4_punch_hole(vfs::file& f, ext4_inode_info& inode, loff_t offset, loff_t length) {
  XIP_TRY(vfs::file_modified(f));
  const loff_t end = hole_end(inode, offset + length);
  if (offset >= std::min(end, i_size_read(inode))) return {};
  const page_range pages = pages_within(offset, end);
  const layouts_guard guard{inode, pages};
  XIP_TRY(prepare_range_change(inode, pages));
  XIP_TRY(zero_partial_blocks(inode, offset, end));
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  const auto first = static_cast<std::uint64_t>(round_up(inode, offset)) >> bits;
  const auto last = static_cast<std::uint64_t>(end) >> bits;
  if (first >= last) return {};
  step_handle h{sbi_of(inode), credits_for_punch};
  return remove_blocks(h, inode, lblk_t{static_cast<std::uint32_t>(first)}, last);
}

result<> ext4_zero_range(vfs::file& f, ext4_inode_info& inode, loff_t offset, loff_t length, bool keep_size) {
  if (!has_extents(inode)) return fail(EOPNOTSUPP);
  const loff_t end = offset + length;
  const loff_t new_size = XIP_TRY(size_to_cover(inode, end, keep_size));
  XIP_TRY(vfs::file_modified(f));
  const page_range pages = pages_within(offset, end);
  const layouts_guard guard{inode, pages};
  XIP_TRY(prepare_range_change(inode, pages));
  XIP_TRY(zero_partial_blocks(inode, offset, end));
  const loff_t whole = std::min(round_up(inode, offset), end);
  const loff_t whole_end = std::max(round_down(inode, end), whole);
  if (whole > offset) XIP_TRY(allocate_range(inode, offset, whole - offset, new_size, map_create_unwritten));
  if (whole_end > whole) XIP_TRY(allocate_range(inode, whole, whole_end - whole, new_size, map_create_unwritten | map_make_unwritten));
  return end > whole_end ? allocate_range(inode, whole_end, end - whole_end, new_size, map_create_unwritten) : result<>{};
}

}  // namespace xip::ext4lite
