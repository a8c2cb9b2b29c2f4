// Blocks for a range of a file before anybody writes there. Linux: ext4_alloc_file_blocks (fs/ext4/extents.c).
//
// It goes extent by extent, each under a handle of its own that also moves i_size: a crash in between leaves a file that is
// as long as what it has got, all of it reading as zeros.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> dax_entry -> i_data_sem
#include "fs_ext4lite/allocate_range.h"

#include <algorithm>
#include <optional>

#include <xip/xip/mapping.h>

#include "fs_ext4lite/file_hooks.h"

namespace xip::ext4lite {
namespace {

// i_size goes up to what has been allocated, but not past END.
[[nodiscard]] result<> cover_allocated(handle& h, ext4_inode_info& inode, loff_t allocated_end, loff_t end) XIP_REQUIRES(inode.i_rwsem) {
  const loff_t reached = std::min(allocated_end, end);
  const loff_t size = i_size_read(inode);
  if (reached <= size) return {};
  std::optional<entry_range_lock> tail;
  XIP_TRY(xip_zero_tail(inode, size, reached, ext4_xip_ops, tail));
  return extend_size(h, inode, reached);
}

// Blocks from LBLK on, at most COUNT of them in one extent; how many there are now.
[[nodiscard]] result<std::uint32_t> allocate_some(ext4_inode_info& inode, lblk_t lblk, std::uint32_t count, loff_t new_size,
                                                  std::uint32_t flags) XIP_REQUIRES(inode.i_rwsem) {
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  handle h = XIP_TRY(journal_start(sbi_of(inode), credits_for_one_extent(inode) + credits_inode));
  const extent_map em = XIP_TRY(map_blocks(&h, inode, lblk, count, flags));
  XIP_TRY(cover_allocated(h, inode, pos_of(lblk, bits) + (loff_t{em.len} << bits), new_size));
  return em.len;
}

}  // namespace

result<loff_t> size_to_cover(const ext4_inode_info& inode, loff_t end, bool keep_size) {
  if (keep_size || end <= i_size_read(inode)) return 0;
  XIP_TRY(vfs::inode_newsize_ok(inode, end));
  return end;
}

result<> allocate_range(ext4_inode_info& inode, loff_t offset, loff_t length, loff_t new_size, std::uint32_t flags) {
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  const std::uint64_t end = blocks_for(static_cast<std::uint64_t>(offset + length), bits);
  if (end > extent_max_block) return fail(EFBIG);
  lblk_t lblk = lblk_of(offset, bits);
  unsigned attempt = 0;
  while (lblk.value() < end) {
    const auto some = allocate_some(inode, lblk, static_cast<std::uint32_t>(end - lblk.value()), new_size, flags);
    if (some.has_value()) {
      lblk += *some;
      attempt = 0;
    } else if (some.error() != ENOSPC || !should_retry_alloc(sbi_of(inode), attempt++)) {
      return fail(some.error());
    }
  }
  return {};
}

}  // namespace xip::ext4lite
