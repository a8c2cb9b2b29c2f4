// What the memory unit does: entries of page tables set, taken out, and used, all under page_table_lock. Linux: mm/memory.c.
//
// An access is a translation and a copy in one go under the lock, so what takes an entry out has waited for every access through it.
//
// Lock chains:
//   mmap_lock -> pte_lock
#include "mm/entries.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <xip/base/points.h>
#include <xip/dev/block_observer.h>
#include <xip/mm/mm.h>
#include <xip/vfs/super_block.h>

#include "mm/host_space.h"

namespace xip::mm {
namespace {

// A device that somebody stores into through a mapping, page by page.
void move_device_page(const pte& e, std::size_t offset, std::byte* memory, std::size_t bytes, bool write) noexcept {
  dev::device& device = e.inode->i_sb.s_bdev;
  if (dev::block_observer* observer = device.observer(); observer != nullptr) {
    const unsigned bits = e.inode->i_sb.s_blocksize_bits;
    const std::uint64_t first = ((e.pfn << page_shift) + offset) >> bits, last = ((e.pfn << page_shift) + offset + bytes - 1) >> bits;
    observer->on_access(pblk_t{first}, static_cast<std::uint32_t>(last - first + 1), e.inode->i_ino, e.inode->i_generation, write);
  }
  if (write)
    device.store(e.memory + offset, memory, bytes);
  else
    device.copy_out(memory, e.memory + offset, bytes);
}

}  // namespace

void move_page_bytes(const pte& e, std::size_t offset, std::byte* memory, std::size_t bytes, bool write) noexcept {
  switch (e.kind) {
    case pte_kind::none:
      return;
    case pte_kind::zero:
      std::memset(memory, 0, bytes);
      return;
    case pte_kind::anon:
      if (write)
        std::memcpy(e.memory + offset, memory, bytes);
      else
        std::memcpy(memory, e.memory + offset, bytes);
      return;
    case pte_kind::pfn:
      return move_device_page(e, offset, memory, bytes, write);
  }
}

result<> mm_struct::ensure_slot(user_address address, fault_order order) noexcept {
  if (host_ != nullptr) return {};
  {
    spin_guard guard{page_table_lock_};
    const page_table::slot* there = page_table_.find(address);
    if (there != nullptr && (order == fault_order::pmd || there->entries != nullptr || there->huge.present())) return {};
  }
  page_table::spare_slot spare;
  try {
    spare = page_table::make_slot(memory(), address, order);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  {
    spin_guard guard{page_table_lock_};
    page_table_.insert(spare);
  }
  page_table::free_tables(memory(), spare);
  return {};
}

void mm_struct::zap(user_address start, user_address end, bool even_cows) noexcept {
  page* gone = nullptr;
  {
    spin_guard guard{page_table_lock_};
    if (host_ != nullptr) return host_->zap(start, end, even_cows);
    page_table_.for_each(start, end, [&](pte& e, user_address, fault_order) {
      if (e.kind == pte_kind::anon) {
        if (!even_cows) return;
        e.page->next = gone;
        gone = e.page;
      }
      e = {};
    });
  }
  while (gone != nullptr) put_page(std::exchange(gone, gone->next));
}

// Rights that are new come with the next fault, which asks the file system. 2 MiB that have different rights now are mapped page by page then.
void mm_struct::set_protection(user_address start, user_address end, std::uint32_t vm_flags) noexcept {
  spin_guard guard{page_table_lock_};
  if (host_ != nullptr) return host_->protect(start, end, vm_flags);
  page_table_.for_each(start, end, [&](pte& e, user_address at, fault_order order) {
    if (order == fault_order::pmd && (at < start || at + pmd_size > end)) {
      e = {};
      return;
    }
    e.read = (vm_flags & (vm_read | vm_write | vm_exec)) != 0;
    e.write = e.write && (vm_flags & vm_write) != 0;
  });
}

void mm_struct::write_protect(user_address start, user_address end) noexcept {
  spin_guard guard{page_table_lock_};
  if (host_ != nullptr) return host_->write_protect(start, end);
  page_table_.for_each(start, end, [](pte& e, user_address, fault_order) { e.write = false; });
}

// What of RUN lies in the area. Only pages of the host are set in runs.
vm_fault_t mm_struct::set_run(const vm_fault& vmf, page_run run, const pte& e) noexcept {
  const vm_area_struct& area = vmf.vma;
  const pgoff_t first = std::max(run.first, area.vm_pgoff), end = std::min(run.end(), area.vm_pgoff + area.pages());
  if (first >= end) return vm_fault_t::nopage;
  pte of_first = e;
  if (of_first.kind == pte_kind::pfn) {
    of_first.memory += (first - run.first) << page_shift;
    of_first.pfn += first - run.first;
  }
  spin_guard guard{page_table_lock_};
  return host_->set(area.address_of(first), area.address_of(end), vmf.address, of_first, area.vm_flags);
}

void mm_struct::refuse(user_address address) noexcept {
  spin_guard guard{page_table_lock_};
  host_->refuse(address & ~(user_address{page_size} - 1));
}

std::size_t mm_struct::host_runs() noexcept {
  spin_guard guard{page_table_lock_};
  return host_ != nullptr ? host_->runs() : 0;
}

void mm_struct::for_each_host_page(const std::function<void(const pte&, user_address, fault_order)>& visit) {
  spin_guard guard{page_table_lock_};
  host_->for_each_page([&](const pte& e, user_address at) { visit(e, at, fault_order::pte); });
}

vm_fault_t mm_struct::set_entry(user_address address, fault_order order, const pte& e) noexcept {
  spin_guard guard{page_table_lock_};
  page_table::slot* slot = page_table_.find(address);
  if (slot == nullptr) return vm_fault_t::oom;
  if (order == fault_order::pmd && slot->entries != nullptr) return vm_fault_t::fallback;
  pte* there = order == fault_order::pmd ? &slot->huge : page_table_.entry(address);
  if (there == nullptr) return vm_fault_t::nopage;  // 2 MiB are mapped there by now
  if (!there->present())
    *there = e;
  else if (there->kind == pte_kind::pfn && e.kind == pte_kind::pfn && there->pfn == e.pfn)
    there->write = there->write || e.write;
  return vm_fault_t::nopage;
}

pte mm_struct::look_up(user_address address) const noexcept {
  return host_ != nullptr ? host_->translate(address) : page_table_.translate(address);
}

pte mm_struct::translate(user_address address) noexcept {
  spin_guard guard{page_table_lock_};
  return look_up(address);
}

bool mm_struct::is_there(user_address address, bool write) noexcept {
  const pte e = translate(address);
  return e.present() && (write ? e.write : e.read);
}

bool mm_struct::copy_within_page(const access& what, std::byte* memory) noexcept {
  spin_guard guard{page_table_lock_};
  const pte e = look_up(what.address);
  if (!e.present() || !(what.write ? e.write : e.read)) return false;
  move_page_bytes(e, what.address & (page_size - 1), memory, what.bytes, what.write);
  return true;
}

// ---- for the hooks

namespace {

// The pages of an entry of ORDER around the fault.
[[nodiscard]] page_run run_of(const vm_fault& vmf, fault_order order) noexcept {
  const std::uint64_t pages = pages_of(order);
  return {pgoff_t{vmf.pgoff.value() & ~(pages - 1)}, pages};
}

}  // namespace

vm_fault_t insert_zero(const vm_fault& vmf, fault_order order) noexcept {
  if (vmf.vma.vm_mm->host_ != nullptr) return insert_zeros(vmf, run_of(vmf, order));
  XIP_POINT(mm_before_pte, vmf.pgoff.value(), pages_of(order));
  pte zeros{.kind = pte_kind::zero, .read = true};
  if (vmf.vma.vm_file != nullptr) {
    zeros.inode = &vmf.vma.inode();
    zeros.pfn = run_of(vmf, order).first.value();
  }
  return vmf.vma.vm_mm->set_entry(vmf.address, order, zeros);
}

vm_fault_t insert_pfn(const vm_fault& vmf, fault_order order, std::uint64_t pfn, std::byte* memory, bool write) noexcept {
  if (vmf.vma.vm_mm->host_ != nullptr) return insert_pfns(vmf, run_of(vmf, order), pfn, memory, write);
  XIP_POINT(mm_before_pte, vmf.pgoff.value(), pages_of(order));
  return vmf.vma.vm_mm->set_entry(
      vmf.address, order,
      {.kind = pte_kind::pfn, .read = true, .write = write, .memory = memory, .inode = &vmf.vma.inode(), .page = nullptr, .pfn = pfn});
}

vm_fault_t insert_zeros(const vm_fault& vmf, page_run run) noexcept {
  XIP_POINT(mm_before_pte, vmf.pgoff.value(), run.pages);
  return vmf.vma.vm_mm->set_run(vmf, run, {.kind = pte_kind::zero, .read = true});
}

vm_fault_t insert_pfns(const vm_fault& vmf, page_run run, std::uint64_t pfn, std::byte* memory, bool write) noexcept {
  XIP_POINT(mm_before_pte, vmf.pgoff.value(), run.pages);
  return vmf.vma.vm_mm->set_run(
      vmf, run,
      {.kind = pte_kind::pfn, .read = true, .write = write, .memory = memory, .inode = &vmf.vma.inode(), .page = nullptr, .pfn = pfn});
}

vm_fault_t finish_cow_fault(vm_fault& vmf) noexcept {
  XIP_POINT(mm_before_pte, vmf.pgoff.value(), 1);
  page& p = *vmf.cow_page;
  mm_struct& mm = *vmf.vma.vm_mm;
  spin_guard guard{mm.page_table_lock_};
  if (mm.host_ != nullptr)
    return mm.host_->translate(vmf.address).present() ? vm_fault_t::nopage
                                                      : mm.host_->set_copy(vmf.address, p.bytes.data(), vmf.vma.vm_flags);
  pte* there = mm.page_table_.entry(vmf.address);
  if (there == nullptr || there->present()) return vm_fault_t::nopage;
  *there = {.kind = pte_kind::anon, .read = true, .write = true, .memory = p.bytes.data(), .inode = nullptr, .page = &p, .pfn = 0};
  vmf.cow_page = nullptr;
  return vm_fault_t::nopage;
}

}  // namespace xip::mm
