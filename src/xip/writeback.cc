// Making durable what was stored through mappings. Linux: dax_writeback_mapping_range (fs/dax.c).
//
// Of each DIRTY entry: write-protected in all page tables, then flushed, then drained, and only then clean. A store that comes after the protection faults,
// waits for the entry, and makes it DIRTY again. An entry that was clean before the drain would let a second fsync pass it and return while the first
// is still on its way.
//
// Entries are taken in the order of their pages and each once, so stores that go on do not keep a sync from its end.
//
// Lock chains:
//   dax_entry -> i_mmap_rwsem -> pte_lock
//   dax_entry -> i_pages
#include <xip/base/points.h>
#include <xip/dev/device.h>
#include <xip/mm/rmap.h>
#include <xip/vfs/super_block.h>
#include <xip/xip/entry.h>
#include <xip/xip/mapped.h>

namespace xip {
namespace {

// SEEN was DIRTY. Where it is not any more, somebody else has made it durable; where another is in its place, its blocks are gone.
result<> write_back(vfs::inode& inode, const dax_entry& seen) noexcept {
  dev::device& device = inode.i_sb.s_bdev;
  entry_range_lock entries{inode, seen.index, seen.last()};
  const auto now = entries.get(seen.index);
  if (!now || !now->dirty || !now->same_place(seen)) return {};
  if (now->kind != entry_kind::pfn) return fail(EIO);
  if (XIP_EXHIBIT(cleaned_before_flush)) entries.clean(now->index);
  if (!XIP_EXHIBIT(not_write_protected)) mm::write_protect_mapping_range(inode, now->index, now->last());
  XIP_POINT(xip_write_protected, now->index.value());
  device.flush(now->memory, now->bytes());
  device.drain();
  if (device.killed()) return fail(EIO);
  XIP_POINT(xip_before_clean, now->index.value());
  entries.clean(now->index);
  return {};
}

}  // namespace

result<> xip_writeback_range(vfs::inode& inode, loff_t start, loff_t end) noexcept {
  entry_table* const table = entry_table::find(inode);
  if (table == nullptr || !table->has_dirty() || start >= end) return {};
  const pgoff_t last = pgoff_of(end - 1);
  for (pgoff_t index = pgoff_of(start);;) {
    const auto dirty = table->next_dirty(index);
    if (!dirty || dirty->index > last) return {};
    if (const auto done = write_back(inode, *dirty); !done) {
      vfs::mapping_set_error(inode.i_mapping, done.error().number());
      return done;
    }
    index = dirty->last() + 1;
  }
}

}  // namespace xip
