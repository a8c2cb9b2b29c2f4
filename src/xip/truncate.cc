// Taking pages out of page tables before their blocks go, or become written. Linux: dax_break_layout, dax_delete_mapping_range, truncate_pagecache.
//
// Lock chains:
//   i_rwsem -> invalidate_lock -> dax_entry -> i_mmap_rwsem -> pte_lock
//   invalidate_lock -> s_pins
#include <algorithm>

#include <xip/base/points.h>
#include <xip/dev/device.h>
#include <xip/mm/rmap.h>
#include <xip/vfs/super_block.h>
#include <xip/xip/entry.h>
#include <xip/xip/mapped.h>

namespace xip {
namespace {

void unmap(vfs::inode& inode, pgoff_t first, pgoff_t last, bool even_cows) noexcept {
  if (!XIP_EXHIBIT(pages_kept_mapped)) mm::unmap_mapping_range(inode, first, last, even_cows);
}

// E lies in part outside of what is dropped. What stays of it is made durable here, since nobody will know any more that it was DIRTY.
void give_up_whole(vfs::inode& inode, entry_range_lock& entries, const dax_entry& e) noexcept {
  mm::unmap_mapping_range(inode, e.index, e.last(), false);
  if (e.dirty) {
    dev::device& device = inode.i_sb.s_bdev;
    device.flush(e.memory, e.bytes());
    device.drain();
    if (device.killed()) vfs::mapping_set_error(inode.i_mapping, EIO);
  }
  entries.remove(e.index);
}

}  // namespace

bool xip_layout_busy(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept {
  inode.i_mapping.invalidate_lock.assert_held();
  if (entry_table::find(inode) == nullptr) return false;  // never mapped
  unmap(inode, first, last, false);
  return !XIP_EXHIBIT(pins_ignored) && mm::is_pinned(inode, first, last);
}

// Entries go under their locks: an fsync may be at work on one. The second look at the page tables is for whoever was between finding an entry and using
// it without invalidate_lock.
void xip_drop_range(vfs::inode& inode, pgoff_t first, pgoff_t last, bool even_cows) noexcept {
  inode.i_mapping.invalidate_lock.assert_held();
  if (entry_table::find(inode) == nullptr) return;
  unmap(inode, first, last, even_cows);
  {
    entry_range_lock entries{inode, first, last};
    for (auto e = entries.next(first); e; e = entries.next(std::max(first, e->index))) {
      if (e->index < first || e->last() > last)
        give_up_whole(inode, entries, *e);
      else
        entries.remove(e->index);
    }
  }
  XIP_POINT(xip_entries_dropped, first.value(), last.value());
  unmap(inode, first, last, even_cows);
}

void xip_drop_zero_entries(vfs::inode& inode, entry_range_lock& range) noexcept {
  for (auto e = range.next(range.first()); e; e = range.next(e->last() + 1)) {
    if (e->kind != entry_kind::zero && !XIP_EXHIBIT(entries_dropped_by_write)) continue;
    mm::unmap_mapping_range(inode, e->index, e->last(), false);
    range.remove(e->index);
    XIP_POINT(xip_zeros_unmapped, e->index.value());
  }
}

}  // namespace xip
