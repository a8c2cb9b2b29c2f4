// The XIP core's part in mapped files: faults, making stores durable, taking pages away. Linux: dax_iomap_fault, dax_writeback_mapping_range,
// dax_break_layout, dax_delete_mapping_range (fs/dax.c).
#pragma once

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/mm/fault.h>
#include <xip/xip/xip_ops.h>

namespace xip {

// How a fault stands when the core gives it back. Its entry is unlocked.
struct fault_outcome {
  enum class what : std::uint8_t {
    ended,      // CODE is the answer
    no_space,   // a block could not be had: stop the handle, wait for a commit, fault again; else SIGBUS
    need_sync,  // MAP_SYNC: stop the handle, make what leads to the block durable, then xip_finish_sync_fault
  };
  what state = what::ended;
  mm::vm_fault_t code = mm::vm_fault_t::nopage;
  // need_sync: the pages of the entry, and where they are
  mm::page_run pages;
  std::uint64_t pfn = 0;
};

// One fault of a page, or of the 2 MiB around it. invalidate_lock held shared; for a fault that changes the file (vmf.changes_file) an open handle besides, which
// HANDLE is handed to ops.get_fault_blocks as. A read allocates nothing: holes are mapped to the zero page. A store into a private area gets a copy.
// fallback (2 MiB only): what has to hold for so large an entry does not; try pages. A run is what lies in one piece around the page: to be written, within 2 MiB of
// the file, and one entry; a hole is filled as far as there is room. To be read, written pages to the end of their extent.
[[nodiscard]] fault_outcome xip_mapping_fault(mm::vm_fault& vmf, mm::fault_order order, const xip_ops& ops, void* handle) noexcept;
// After need_sync, still under the same invalidate_lock: maps what OUTCOME says to be written, unless the entry has changed meanwhile: then nopage, and the access
// faults again.
[[nodiscard]] mm::vm_fault_t xip_finish_sync_fault(mm::vm_fault& vmf, mm::fault_order order, const fault_outcome& outcome) noexcept;
// Written pages of PAGES, to be read, each extent in one go; invalidate_lock held shared.
mm::vm_fault_t xip_map_pages(mm::vm_fault& vmf, mm::page_run pages, const xip_ops& ops) noexcept;

// What was stored through mappings into bytes [START, END) is flushed and drained, and the next store faults. What is stored meanwhile may or may not be.
// No lock, no handle. EIO: the device is gone.
[[nodiscard]] result<> xip_writeback_range(vfs::inode& inode, loff_t start, loff_t end) noexcept;

// Before pages [FIRST, LAST] lose their blocks: out of all page tables, and whether one of them is pinned: then drop invalidate_lock, mm::wait_until_unpinned,
// take it again, and ask again. invalidate_lock exclusive, i_rwsem exclusive.
[[nodiscard]] bool xip_layout_busy(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept;
// Pages [FIRST, LAST] are in no page table, and have no entry. EVEN_COWS: nor a private copy (truncate; a hole that is punched leaves them). invalidate_lock exclusive.
void xip_drop_range(vfs::inode& inode, pgoff_t first, pgoff_t last, bool even_cows) noexcept;

// For the write path, RANGE being locked and some of its blocks written now: no zero page is mapped there any more, and whoever loads will fault and find them.
void xip_drop_zero_entries(vfs::inode& inode, class entry_range_lock& range) noexcept;

}  // namespace xip
