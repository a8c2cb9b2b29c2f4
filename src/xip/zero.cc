// Zeroing what is written in a range: the edges of truncate, punch and extension. Linux: dax_zero_range, iomap_zero_range.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> dax_entry -> i_mmap_rwsem
#include <algorithm>

#include <xip/mm/rmap.h>
#include <xip/xip/entry.h>
#include <xip/xip/mapping.h>

#include "xip/mapping_cursor.h"
#include "xip/mover.h"

namespace xip {
namespace {

// A window ends before poison: what lies before it stays as it is where not all BYTES can be written.
[[nodiscard]] result<> ask_for_windows(dev::device& device, std::uint64_t offset, std::size_t bytes) noexcept {
  while (bytes != 0) {
    const dev::window w = XIP_TRY(window_for_write(device, offset, bytes));
    const std::size_t n = std::min(bytes, w.bytes);
    offset += n;
    bytes -= n;
  }
  return {};
}

template <class Mover>
result<> zero_written(vfs::inode& inode, loff_t pos, loff_t end, const xip_ops& ops) noexcept {
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  Mover mover{inode};
  mapping_cursor cursor{inode, ops};
  while (pos < end) {
    const auto rest = static_cast<std::size_t>(std::min<loff_t>(end - pos, loff_t{1} << 30));
    const extent_map em = XIP_TRY(cursor.at(lblk_of(pos, bits), blocks_touched(pos, rest, bits)));
    const loff_t mapping_end = pos_of(em.lblk, bits) + static_cast<loff_t>(std::uint64_t{em.len} << bits);
    const loff_t stop = std::min(end, mapping_end);
    if (em.type == extent_type::mapped) {
      const std::uint64_t offset = device_byte(em, pos, bits);
      const auto bytes = static_cast<std::size_t>(stop - pos);
      if constexpr (Mover::moves_at_once) XIP_TRY(ask_for_windows(inode.i_sb.s_bdev, offset, bytes));
      XIP_TRY(mover.write_zeros(offset, bytes));
    }
    pos = stop;
  }
  if (const completed done = mover.complete(); done.error != 0) return fail(done.error);
  mover.drain();
  return {};
}

result<> zero_range(vfs::inode& inode, loff_t pos, loff_t bytes, const xip_ops& ops) noexcept {
  if (bytes <= 0) return {};
  if (inode.is_dax()) return zero_written<window_mover>(inode, pos, pos + bytes, ops);
  return zero_written<batch_mover>(inode, pos, pos + bytes, ops);
}

}  // namespace

result<> xip_zero_range(vfs::inode& inode, loff_t pos, loff_t bytes, const xip_ops& ops) noexcept {
  inode.i_mapping.invalidate_lock.assert_held();
  return zero_range(inode, pos, bytes, ops);
}

bool xip_has_tail(const vfs::inode& inode, loff_t size, loff_t new_pos) noexcept {
  return new_pos > size && (size & (loff_t{inode.i_sb.s_blocksize} - 1)) != 0;
}

result<> xip_zero_tail(vfs::inode& inode, loff_t old_size, loff_t new_pos, const xip_ops& ops,
                       std::optional<entry_range_lock>& entry) noexcept {
  inode.i_rwsem.assert_held();
  if (!xip_has_tail(inode, old_size, new_pos) || XIP_EXHIBIT(old_tail_not_zeroed)) return {};
  const loff_t block_end = (old_size + inode.i_sb.s_blocksize - 1) & -loff_t{inode.i_sb.s_blocksize};
  const loff_t end = std::min(block_end, new_pos);
  XIP_TRY(entry_table::make(inode));
  entry.emplace(inode, pgoff_of(old_size), pgoff_of(old_size));
  // Who stores behind the old end from here on faults, and waits for the entry.
  if (entry->get(pgoff_of(old_size))) mm::unmap_mapping_range(inode, pgoff_of(old_size), pgoff_of(old_size), false);
  XIP_POINT(xip_zero_tail, static_cast<std::uint64_t>(old_size), static_cast<std::uint64_t>(end));
  return zero_range(inode, old_size, end - old_size, ops);
}

}  // namespace xip
