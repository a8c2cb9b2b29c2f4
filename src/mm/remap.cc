// mremap: a mapping grows, shrinks or moves, and takes what its page tables hold along. Linux: mm/mremap.c.
//
// Lock chains:
//   mmap_lock -> i_mmap_rwsem -> pte_lock
#include <algorithm>
#include <new>
#include <utility>

#include "mm/areas.h"
#include "mm/host_space.h"

namespace xip::mm {

result<> mm_struct::grow_in_place(vm_area_struct& area, user_address end) noexcept {
  if (end > top_ || !is_free(area.vm_end, end)) return fail(ENOMEM);
  if (host_ != nullptr) XIP_TRY(host_->arm(area.vm_end, end));
  const mapping_guard guard{area};
  area.vm_end = end;
  return {};
}

// Entries of [FROM, FROM + BYTES) go to TO, where memory for tables is got first. 2 MiB that are one entry are taken out instead: they fault again.
result<> mm_struct::move_entries(const vm_area_struct& area, user_address from, user_address to, std::size_t bytes) noexcept {
  if (host_ != nullptr) {
    XIP_TRY(host_->arm(to, to + (area.vm_end - area.vm_start)));
    const mapping_guard guard{area};
    spin_guard tables{page_table_lock_};
    return host_->move(from, to, bytes);
  }
  for (user_address at = to & ~(user_address{pmd_size} - 1); at < to + bytes; at += pmd_size) XIP_TRY(ensure_slot(at, fault_order::pte));
  // A zap that comes through the list of the file's mappings finds each entry at its old place or at the new one, never at neither.
  const mapping_guard guard{area};
  spin_guard tables{page_table_lock_};
  page_table_.for_each(from, from + bytes, [&](pte& e, user_address at, fault_order order) XIP_NO_THREAD_SAFETY_ANALYSIS {
    const pte moved = std::exchange(e, {});
    pte* there = order == fault_order::pmd ? nullptr : page_table_.entry(to + (at - from));
    if (there != nullptr) *there = moved;
  });
  return {};
}

result<user_address> mm_struct::remap(user_address old_address, std::size_t old_size, std::size_t new_size, int flags,
                                      user_address new_address) {
  removed_areas removed{*this};
  exclusive_guard guard{mmap_lock_};
  vm_area_struct* area = find_area(old_address);
  if (area == nullptr || area->vm_end < old_address + old_size) return fail(EFAULT);
  if (area->vm_file != nullptr && new_size > static_cast<std::uint64_t>(INT64_MAX) - (area->pgoff_of(old_address).value() << page_shift))
    return fail(EINVAL);
  if ((flags & MREMAP_FIXED) == 0) {
    if (new_size <= old_size) {
      XIP_TRY(split_at(old_address + new_size));
      XIP_TRY(split_at(old_address + old_size));
      remove_range(old_address + new_size, old_address + old_size, removed);
      return old_address;
    }
    if (area->vm_end == old_address + old_size && grow_in_place(*area, old_address + new_size)) {
      merge_around(area->vm_start, area->vm_end, removed);
      return old_address;
    }
    if ((flags & MREMAP_MAYMOVE) == 0) return fail(ENOMEM);
  } else if (new_address < old_address + old_size && old_address < new_address + new_size) {
    return fail(EINVAL);
  }
  vm_area_struct wanted = *area;
  wanted.vm_pgoff = area->pgoff_of(old_address);
  const user_address to =
      XIP_TRY(place((flags & MREMAP_FIXED) != 0 ? new_address : 0, new_size, (flags & MREMAP_FIXED) != 0 ? MAP_FIXED : 0, wanted));
  areas_.reserve(areas_.size() + 5);
  XIP_TRY(split_at(old_address));
  XIP_TRY(split_at(old_address + old_size));
  XIP_TRY(split_at(to));
  XIP_TRY(split_at(to + new_size));
  vm_area_struct* moved = clone_area(*this, memory(), wanted);
  moved->vm_start = to;
  moved->vm_end = to + new_size;
  remove_range(to, to + new_size, removed);
  insert_area(*moved);
  // Both areas are in the list now.
  const auto entries = move_entries(*moved, old_address, to, std::min(old_size, new_size));
  if (!entries) {
    remove_range(to, to + new_size, removed);
    return fail(entries.error());
  }
  remove_range(old_address, old_address + old_size, removed);
  merge_around(to, to + new_size, removed);
  return to;
}

}  // namespace xip::mm
