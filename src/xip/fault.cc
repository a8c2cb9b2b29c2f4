// Faults of mapped files. Linux: dax_iomap_pte_fault, dax_iomap_pmd_fault (fs/dax.c).
//
// invalidate_lock, which the hook holds, keeps truncate out: a page within i_size stays within it, and its block the file's. The entry lock keeps out whoever
// else works on the same pages: another fault, an fsync, a slice of a write. The mapping is looked up under it and never before, so it is either as
// it was before such a slice or as it is after, and what is put into the page table holds until the lock is given back.
//
// Lock chains:
//   invalidate_lock -> jbd2_handle -> dax_entry -> i_mmap_rwsem -> pte_lock
//   dax_entry -> i_pages
//   dax_entry -> pte_lock
#include <algorithm>

#include <xip/base/points.h>
#include <xip/dev/block_observer.h>
#include <xip/dev/device.h>
#include <xip/mm/rmap.h>
#include <xip/vfs/super_block.h>
#include <xip/xip/entry.h>
#include <xip/xip/mapped.h>

#include "xip/mapping_cursor.h"
#include "xip/run_fault.h"

namespace xip {
namespace {

using mm::fault_order;
using mm::vm_fault_t;

[[nodiscard]] fault_outcome ended(vm_fault_t code) noexcept { return {.state = fault_outcome::what::ended, .code = code}; }

class mapping_fault {
 public:
  mapping_fault(mm::vm_fault& vmf, fault_order order, const xip_ops& ops, void* handle) noexcept
      : vmf_{vmf},
        inode_{vmf.vma.inode()},
        ops_{ops},
        handle_{handle},
        order_{order},
        pages_{mm::pages_of(order)},
        first_{vmf.pgoff.value() & ~std::uint64_t{pages_ - 1}} {}

  [[nodiscard]] fault_outcome run() noexcept {
    if (inode_.i_sb.s_blocksize != page_size) return ended(vm_fault_t::sigbus);
    const std::uint64_t size_in_pages = blocks_for(static_cast<std::uint64_t>(vfs::i_size_read(inode_)), page_shift);
    if (vmf_.pgoff.value() >= size_in_pages) return ended(vm_fault_t::sigbus);
    if (is_huge() && !fits_huge(size_in_pages)) return ended(vm_fault_t::fallback);
    if (!entry_table::make(inode_)) return ended(vm_fault_t::oom);
    const result<extent_map> early = XIP_EXHIBIT(fault_looked_up_early) ? look_up() : extent_map{};
    entry_range_lock entries{inode_, first_, first_ + (pages_ - 1)};
    XIP_POINT(xip_fault_locked, first_.value(), pages_);
    if (is_huge() && has_pages(entries) && !XIP_EXHIBIT(pages_overlooked)) return ended(vm_fault_t::fallback);
    const auto em = XIP_EXHIBIT(fault_looked_up_early) ? early : look_up();
    if (!em.has_value()) return failed(em.error());
    if (is_huge() && em->len < pages_) return ended(vm_fault_t::fallback);
    XIP_POINT(xip_before_entry, first_.value(), static_cast<std::uint64_t>(em->type));
    if (vmf_.cow_page != nullptr) return copy(*em);
    return em->type == extent_type::mapped ? map_memory(entries, *em) : map_zeros(entries);
  }

 private:
  [[nodiscard]] bool is_huge() const noexcept { return order_ == fault_order::pmd; }
  [[nodiscard]] lblk_t lblk() const noexcept { return lblk_t{static_cast<std::uint32_t>(first_.value())}; }

  // Linux: dax_fault_check_fallback. The rest of it is known where the page tables are: huge_fault is asked for what lies in the area.
  [[nodiscard]] bool fits_huge(std::uint64_t size_in_pages) const noexcept {
    return (!vmf_.write || vmf_.vma.is_shared()) && first_.value() + pages_ <= size_in_pages;
  }

  // Some of the pages have entries of their own.
  [[nodiscard]] bool has_pages(const entry_range_lock& entries) const noexcept {
    const auto there = entries.next(first_);
    return there && there->pages < pages_;
  }

  // What nobody has to write is looked up only. 2 MiB are not allocated before it is known that they are one stretch.
  [[nodiscard]] result<extent_map> look_up() noexcept {
    const bool changes = vmf_.changes_file();
    if (!changes || is_huge()) {
      const extent_map em = XIP_TRY(checked(ops_.get_blocks(inode_, lblk(), pages_, nullptr)));
      if (!changes || em.len < pages_) return em;
    }
    const extent_map em = XIP_TRY(checked(ops_.get_fault_blocks(inode_, lblk(), pages_, handle_)));
    if (em.type != extent_type::mapped) return fail(EIO);
    return em;
  }
  [[nodiscard]] result<extent_map> checked(const result<extent_map>& answer) const noexcept {
    const extent_map em = XIP_TRY(answer);
    XIP_TRY(check_extent_map(inode_, em, lblk(), pages_));
    return em;
  }

  [[nodiscard]] fault_outcome failed(error why) const noexcept {
    if (is_huge()) return ended(vm_fault_t::fallback);
    if (why == ENOSPC && vmf_.changes_file()) return {.state = fault_outcome::what::no_space, .code = vm_fault_t::sigbus};
    if (why == ENOMEM) return ended(vm_fault_t::oom);
    return ended(vm_fault_t::sigbus);
  }

  // All of the pages, in one piece of memory. Of 2 MiB that do not lie on a border of the device no entry can be made.
  [[nodiscard]] result<std::byte*> memory_of(const extent_map& em, dev::access_intent intent) const noexcept {
    const std::uint64_t offset = bytes_of(em.pblk, page_shift);
    if (is_huge() && (offset & (mm::pmd_size - 1)) != 0) return fail(EIO);
    const dev::window w = XIP_TRY(inode_.i_sb.s_bdev.direct_access(offset, std::size_t{pages_} << page_shift, intent));
    if (w.bytes < std::size_t{pages_} << page_shift) return fail(EIO);
    return w.data;
  }

  // A store into a private mapping: its page gets what the file has. No handle, no allocation, no entry. Linux: dax_fault_cow_page.
  [[nodiscard]] fault_outcome copy(const extent_map& em) noexcept {
    std::byte* const to = vmf_.cow_page->bytes.data();
    if (em.type == extent_type::mapped) {
      const auto memory = memory_of(em, dev::access_intent::read);
      if (!memory.has_value()) return failed(memory.error());
      if (dev::block_observer* observer = inode_.i_sb.s_bdev.observer(); observer != nullptr)
        observer->on_access(em.pblk, 1, inode_.i_ino, inode_.i_generation, false);
      inode_.i_sb.s_bdev.copy_out(to, *memory, page_size);
    } else {
      std::fill_n(to, page_size, std::byte{0});
    }
    return ended(mm::finish_cow_fault(vmf_));
  }

  // What is mapped as zeros of more pages is not kept beside what one of them gets.
  void split_zeros(entry_range_lock& entries) noexcept {
    const auto there = entries.get(first_);
    if (!there || there->kind != entry_kind::zero || there->pages == pages_) return;
    mm::unmap_mapping_range(inode_, there->index, there->last(), false);
    entries.remove(there->index);
  }

  [[nodiscard]] fault_outcome map_zeros(entry_range_lock& entries) noexcept {
    split_zeros(entries);
    if (!entries.put({.index = first_, .pages = pages_, .kind = entry_kind::zero})) return ended(vm_fault_t::oom);
    if (!stays_unwritten(inode_, ops_, lblk(), pages_)) {
      mm::unmap_mapping_range(inode_, first_, first_ + (pages_ - 1),
                              false);  // the entry may have been there before, and others' zeros with it
      entries.remove(first_);
      return ended(vm_fault_t::nopage);
    }
    return ended(mm::insert_zero(vmf_, order_));
  }

  // The zero page goes from every page table before one of them gets the block: nobody must load zeros when another has stored.
  [[nodiscard]] fault_outcome map_memory(entry_range_lock& entries, const extent_map& em) noexcept {
    const bool changes = vmf_.changes_file();
    const auto memory = memory_of(em, changes ? dev::access_intent::write : dev::access_intent::read);
    if (!memory.has_value()) return failed(memory.error());
    split_zeros(entries);
    if (const auto there = entries.get(first_); there && there->kind == entry_kind::zero && !XIP_EXHIBIT(zeros_kept_by_fault))
      mm::unmap_mapping_range(inode_, there->index, there->last(), false);
    const bool sync_first =
        changes && (vmf_.vma.vm_flags & mm::vm_sync) != 0 && (em.flags & em_dirty) != 0 && !XIP_EXHIBIT(sync_fault_ignored);
    const bool dirty = changes && !sync_first;
    if (!put_memory(entries, em.pblk.value(), *memory, dirty)) return ended(vm_fault_t::oom);
    if (sync_first) return {.state = fault_outcome::what::need_sync, .pages = {first_, pages_}, .pfn = em.pblk.value()};
    const vm_fault_t r = mm::insert_pfn(vmf_, order_, em.pblk.value(), *memory, changes);
    return ended(r == vm_fault_t::nopage && (em.flags & em_new) != 0 ? vm_fault_t::major : r);
  }

  // A larger entry stays what it is when a page of it faults alone, and is DIRTY as a whole.
  [[nodiscard]] result<> put_memory(entry_range_lock& entries, std::uint64_t pfn, std::byte* memory, bool dirty) noexcept {
    if (auto there = entries.get(first_); there && there->pages > 1 && !is_huge()) {
      there->dirty = there->dirty || dirty;
      return entries.put(*there);
    }
    return entries.put({.index = first_, .pages = pages_, .kind = entry_kind::pfn, .dirty = dirty, .pfn = pfn, .memory = memory});
  }

  mm::vm_fault& vmf_;
  vfs::inode& inode_;
  const xip_ops& ops_;
  void* const handle_;
  const fault_order order_;
  const std::uint32_t pages_;
  const pgoff_t first_;
};

}  // namespace

fault_outcome xip_mapping_fault(mm::vm_fault& vmf, fault_order order, const xip_ops& ops, void* handle) noexcept {
  vmf.vma.inode().i_mapping.invalidate_lock.assert_held_shared();
  return order == fault_order::run ? xip_run_fault(vmf, ops, handle) : mapping_fault{vmf, order, ops, handle}.run();
}

// Between the two steps nothing was locked but invalidate_lock. Whoever has removed or replaced the entry meanwhile has also unmapped it.
vm_fault_t xip_finish_sync_fault(mm::vm_fault& vmf, fault_order order, const fault_outcome& outcome) noexcept {
  vfs::inode& inode = vmf.vma.inode();
  inode.i_mapping.invalidate_lock.assert_held_shared();
  const auto [first, pages] = outcome.pages;
  const std::uint64_t pfn = outcome.pfn;
  entry_range_lock entries{inode, first, first + (pages - 1)};
  auto there = entries.get(first);
  if (!there || there->kind != entry_kind::pfn || there->pfn + (first - there->index) != pfn) return vm_fault_t::nopage;
  if (there->last() < first + (pages - 1)) return vm_fault_t::nopage;
  std::byte* const memory = there->memory + ((first - there->index) << page_shift);
  there->dirty = true;
  if (!entries.put(*there)) return vm_fault_t::oom;
  if (order == fault_order::run) return mm::insert_pfns(vmf, outcome.pages, pfn, memory, true);
  return mm::insert_pfn(vmf, order, pfn, memory, true);
}

}  // namespace xip
