// From pages of a file to the page tables that map them. Linux: mm/rmap.c, mm/memory.c.
//
// Lock chains:
//   i_mmap_rwsem -> pte_lock -> s_pins
#include <xip/mm/rmap.h>

#include <algorithm>
#include <utility>

#include <xip/base/points.h>
#include <xip/mm/mm.h>
#include <xip/vfs/super_block.h>

#include "mm/entries.h"
#include "vfs/files_struct.h"

namespace xip::mm {
namespace {

// VISIT(area, start, end) for the part of each mapping of INODE that lies in pages [FIRST, LAST].
template <class Visit>
void for_each_mapping(vfs::inode& inode, pgoff_t first, pgoff_t last, Visit&& visit) noexcept {
  shared_guard guard{inode.i_mapping.i_mmap_rwsem};
  for (const vm_area_struct* area = inode.i_mapping.i_mmap; area != nullptr; area = area->i_mmap_next) {
    const pgoff_t area_last = area->vm_pgoff + (area->pages() - 1);
    if (first > area_last || last < area->vm_pgoff) continue;
    visit(*area, area->address_of(std::max(first, area->vm_pgoff)), area->address_of(std::min(last, area_last)) + page_size);
  }
}

}  // namespace

void unmap_mapping_range(vfs::inode& inode, pgoff_t first, pgoff_t last, bool even_cows) noexcept {
  XIP_POINT(mm_before_zap, first.value(), last.value());
  for_each_mapping(inode, first, last, [even_cows](const vm_area_struct& area, user_address start, user_address end) {
    area.vm_mm->zap(start, end, even_cows);
  });
}

void write_protect_mapping_range(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept {
  for_each_mapping(inode, first, last, [](const vm_area_struct& area, user_address start, user_address end) {
    if (!area.is_shared()) return;
    area.vm_mm->write_protect(start, end);
  });
}

// ---- pins

struct pin_list {
  // Under s_pins_lock.
  [[nodiscard]] static bool has(const vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept XIP_REQUIRES(inode.i_sb.s_pins_lock) {
    for (const page_pin* p = inode.i_sb.s_pins; p != nullptr; p = p->next_)
      if (p->what_.inode == &inode && p->index_ >= first && p->index_ <= last) return true;
    return false;
  }
};

void page_pin::pin(const pte& what, vfs::file* f, pgoff_t index) noexcept {
  what_ = what;
  index_ = index;
  if (what.kind == pte_kind::anon) what.page->refs.fetch_add(1, std::memory_order_relaxed);
  if (what.kind != pte_kind::pfn) return;
  f->f_count.fetch_add(1, std::memory_order_relaxed);
  file_ = f;
  vfs::super_block& sb = what.inode->i_sb;
  spin_guard guard{sb.s_pins_lock};
  next_ = std::exchange(sb.s_pins, this);
}

void page_pin::unpin() noexcept {
  const pte what = std::exchange(what_, {});
  if (what.kind == pte_kind::anon) put_page(what.page);
  if (what.kind != pte_kind::pfn) return;
  vfs::super_block& sb = what.inode->i_sb;
  {
    spin_guard guard{sb.s_pins_lock};
    page_pin** link = &sb.s_pins;
    while (*link != this) link = &(*link)->next_;
    *link = next_;
    sb.s_unpinned.wake_all();
  }
  vfs::fput(*std::exchange(file_, nullptr));
}

void page_pin::read(std::size_t offset, void* to, std::size_t bytes) const noexcept {
  move_page_bytes(what_, offset, static_cast<std::byte*>(to), bytes, false);
}

void page_pin::write(std::size_t offset, const void* from, std::size_t bytes) noexcept {
  move_page_bytes(what_, offset, static_cast<std::byte*>(const_cast<void*>(from)), bytes, true);
}

bool is_pinned(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept {
  spin_guard guard{inode.i_sb.s_pins_lock};
  return pin_list::has(inode, first, last);
}

void wait_until_unpinned(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept {
  vfs::super_block& sb = inode.i_sb;
  spin_guard guard{sb.s_pins_lock};
  sb.s_unpinned.wait(sb.s_pins_lock, [&]() XIP_NO_THREAD_SAFETY_ANALYSIS { return !pin_list::has(inode, first, last); });
}

}  // namespace xip::mm
