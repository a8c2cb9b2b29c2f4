// The areas of an address space: found, made, cut, joined, removed. Linux: mm/mmap.c.
//
// Lock chains:
//   mmap_lock -> i_mmap_rwsem
//   mmap_lock -> pte_lock
#include "mm/areas.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <xip/vfs/kernel.h>
#include <xip/vfs/ops.h>

#include "mm/host_space.h"
#include "vfs/files_struct.h"
#include "vfs/hook.h"

namespace xip::mm {

vm_area_struct* clone_area(mm_struct& mm, std::pmr::memory_resource& memory, const vm_area_struct& old) {
  auto* area = std::pmr::polymorphic_allocator<>{&memory}.new_object<vm_area_struct>(old);
  area->vm_mm = &mm;
  area->i_mmap_next = nullptr;
  area->i_mmap_link = nullptr;
  if (area->vm_file != nullptr) area->vm_file->f_count.fetch_add(1, std::memory_order_relaxed);
  return area;
}

void free_area(std::pmr::memory_resource& memory, vm_area_struct* area) noexcept {
  if (area->vm_file != nullptr) vfs::fput(*area->vm_file);
  std::pmr::polymorphic_allocator<>{&memory}.delete_object(area);
}

removed_areas::~removed_areas() {
  while (first_ != nullptr) free_area(mm_.memory(), std::exchange(first_, first_->i_mmap_next));
}

void link_mapping(vm_area_struct& area) noexcept XIP_NO_THREAD_SAFETY_ANALYSIS {
  vm_area_struct*& head = area.inode().i_mapping.i_mmap;
  area.i_mmap_next = head;
  area.i_mmap_link = &head;
  if (head != nullptr) head->i_mmap_link = &area.i_mmap_next;
  head = &area;
}

void unlink_mapping(vm_area_struct& area) noexcept {
  *area.i_mmap_link = area.i_mmap_next;
  if (area.i_mmap_next != nullptr) area.i_mmap_next->i_mmap_link = area.i_mmap_link;
  area.i_mmap_next = nullptr;
  area.i_mmap_link = nullptr;
}

// ---- finding

// The first area that ends behind ADDRESS.
std::size_t mm_struct::index_of(user_address address) const noexcept {
  const auto at = std::ranges::upper_bound(areas_, address, {}, [](const vm_area_struct* a) { return a->vm_end; });
  return static_cast<std::size_t>(at - areas_.begin());
}

vm_area_struct* mm_struct::find_area(user_address address) const noexcept {
  const std::size_t i = index_of(address);
  return i < areas_.size() && areas_[i]->vm_start <= address ? areas_[i] : nullptr;
}

bool mm_struct::is_free(user_address start, user_address end) const noexcept {
  const std::size_t i = index_of(start);
  return i == areas_.size() || areas_[i]->vm_start >= end;
}

bool mm_struct::is_mapped(user_address start, user_address end) const noexcept {
  for (std::size_t i = index_of(start); start < end; ++i) {
    if (i == areas_.size() || areas_[i]->vm_start > start) return false;
    start = areas_[i]->vm_end;
  }
  return true;
}

// First fit, at COLOUR modulo ALIGNMENT.
result<user_address> mm_struct::find_room(std::size_t length, user_address alignment, user_address colour) const noexcept {
  user_address at = bottom_ + colour;
  for (const vm_area_struct* area : areas_) {
    if (at + length <= area->vm_start) break;
    const user_address behind = area->vm_end - colour;
    at = std::max(at, ((behind + alignment - 1) & ~(alignment - 1)) + colour);
  }
  if (at + length > top_) return fail(ENOMEM);
  return at;
}

// Where a mapping of LENGTH bytes goes. Large ones of files lie so that 2 MiB of the file can be one entry. Linux: get_unmapped_area.
result<user_address> mm_struct::place(user_address address, std::size_t length, int flags, const vm_area_struct& area) const noexcept {
  if (length > top_ - bottom_) return fail(ENOMEM);
  const bool fits = address >= bottom_ && address <= top_ - length;
  if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0) {
    if (!is_page_aligned(address)) return fail(EINVAL);
    if (!fits) return fail(ENOMEM);
    if ((flags & MAP_FIXED_NOREPLACE) != 0 && !is_free(address, address + length)) return fail(EEXIST);
    return address;
  }
  const user_address hint = page_align(address);
  if (fits && hint <= top_ - length && is_free(hint, hint + length)) return hint;
  if (area.vm_file == nullptr || length < pmd_size) return find_room(length, page_size, 0);
  return find_room(length, pmd_size, (area.vm_pgoff.value() << page_shift) & (pmd_size - 1));
}

// ---- changing

// There is room in the list.
void mm_struct::insert_area(vm_area_struct& area) noexcept {
  areas_.insert(areas_.begin() + static_cast<std::ptrdiff_t>(index_of(area.vm_start)), &area);
  if (area.vm_file == nullptr) return;
  const mapping_guard guard{area};
  link_mapping(area);
}

// No area lies on both sides of ADDRESS. bad_alloc leaves all as it was.
result<> mm_struct::split_at(user_address address) {
  vm_area_struct* low = find_area(address);
  if (low == nullptr || low->vm_start == address) return {};
  areas_.reserve(areas_.size() + 1);
  vm_area_struct* high = clone_area(*this, memory(), *low);
  high->vm_start = address;
  high->vm_pgoff = low->pgoff_of(address);
  const std::size_t place = index_of(address) + 1;
  const mapping_guard guard{*low};
  low->vm_end = address;
  areas_.insert(areas_.begin() + static_cast<std::ptrdiff_t>(place), high);
  if (high->vm_file != nullptr) link_mapping(*high);
  return {};
}

namespace {

[[nodiscard]] bool can_join(const vm_area_struct& low, const vm_area_struct& high) noexcept {
  return low.vm_end == high.vm_start && low.vm_flags == high.vm_flags && low.vm_file == high.vm_file && low.vm_ops == high.vm_ops &&
         (low.vm_file == nullptr || low.vm_pgoff + low.pages() == high.vm_pgoff);
}

}  // namespace

// Areas from the one before START to the one behind END that differ in nothing become one.
void mm_struct::merge_around(user_address start, user_address end, removed_areas& removed) noexcept {
  std::size_t i = index_of(start);
  if (i != 0) --i;
  while (i + 1 < areas_.size() && areas_[i]->vm_start < end) {
    vm_area_struct &low = *areas_[i], &high = *areas_[i + 1];
    if (!can_join(low, high)) {
      ++i;
      continue;
    }
    {
      const mapping_guard guard{low};
      low.vm_end = high.vm_end;
      if (high.vm_file != nullptr) unlink_mapping(high);
    }
    areas_.erase(areas_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    removed.add(high);
  }
}

// Areas in [START, END) lie in it as a whole. Their entries go first: as long as there is one, rmap finds it.
void mm_struct::remove_range(user_address start, user_address end, removed_areas& removed) noexcept {
  zap(start, end, true);
  const std::size_t first = index_of(start);
  std::size_t last = first;
  for (; last < areas_.size() && areas_[last]->vm_start < end; ++last) {
    vm_area_struct& area = *areas_[last];
    if (area.vm_file != nullptr) {
      const mapping_guard guard{area};
      unlink_mapping(area);
    }
    removed.add(area);
  }
  areas_.erase(areas_.begin() + static_cast<std::ptrdiff_t>(first), areas_.begin() + static_cast<std::ptrdiff_t>(last));
  if (host_ != nullptr)
    host_->disarm(start, end);
  else
    release_tables(start, end);
}

// Tables that nothing can use any more. Linux: free_pgtables.
void mm_struct::release_tables(user_address start, user_address end) noexcept {
  const std::size_t i = index_of(start);
  user_address from = i == 0 ? bottom_ : areas_[i - 1]->vm_end;
  const user_address to = i == areas_.size() ? top_ : areas_[i]->vm_start;
  from = std::max(from, start & ~(user_address{pmd_size} - 1));
  const user_address until = std::min(to, (end + pmd_size - 1) & ~(user_address{pmd_size} - 1));
  const auto take = [&]() -> page_table::spare_slot {
    spin_guard guard{page_table_lock_};
    return page_table_.take_slot(from, until);
  };
  while (true) {
    const page_table::spare_slot taken = take();
    if (taken.empty()) return;
    page_table::free_tables(memory(), taken);
  }
}

// ---- what the calls do

result<user_address> mm_struct::map(user_address address, std::size_t length, std::uint32_t vm_flags, int flags, vfs::file* f,
                                    pgoff_t pgoff) {
  const auto give_back = [this](vm_area_struct* unused) noexcept { free_area(memory(), unused); };
  const vm_area_struct wanted{.vm_flags = vm_flags, .vm_pgoff = pgoff, .vm_file = f};
  removed_areas removed{*this};
  std::unique_ptr<vm_area_struct, decltype(give_back)> area{clone_area(*this, memory(), wanted), give_back};
  user_address start = 0, end = 0;
  {
    exclusive_guard guard{mmap_lock_};
    start = XIP_TRY(place(address, length, flags, *area));
    end = start + length;
    area->vm_start = start;
    area->vm_end = end;
    if (f == nullptr)
      area->vm_pgoff = pgoff_t{start >> page_shift};
    else
      XIP_TRY(vfs::call_hook(vfs::hook::mmap, f->f_op->mmap, *f, *area));
    if (host_ != nullptr && f != nullptr) XIP_TRY(host_space::check_device(f->f_inode->i_sb.s_bdev, vm_flags));
    areas_.reserve(areas_.size() + 3);
    XIP_TRY(split_at(start));
    XIP_TRY(split_at(end));
    remove_range(start, end, removed);
    if (host_ != nullptr) XIP_TRY(host_->arm(start, end));
    insert_area(*area.release());
    merge_around(start, end, removed);
  }
  if (host_ != nullptr) map_written(start, end);
  return start;
}

result<> mm_struct::unmap(user_address start, user_address end) {
  removed_areas removed{*this};
  exclusive_guard guard{mmap_lock_};
  XIP_TRY(split_at(start));
  XIP_TRY(split_at(end));
  remove_range(start, end, removed);
  return {};
}

result<> mm_struct::protect(user_address start, user_address end, std::uint32_t prot) {
  removed_areas removed{*this};
  exclusive_guard guard{mmap_lock_};
  // What lies before a gap, or before what may not be, is changed all the same.
  result<> done;
  user_address reached = start;
  for (std::size_t i = index_of(start); reached < end; ++i) {
    if (i == areas_.size() || areas_[i]->vm_start > reached)
      done = fail(ENOMEM);
    else if ((prot & ~(areas_[i]->vm_flags / vm_mayread)) != 0)
      done = fail(EACCES);
    if (!done) break;
    reached = areas_[i]->vm_end;
  }
  end = std::min(end, reached);
  if (start == end) return done;
  XIP_TRY(split_at(start));
  XIP_TRY(split_at(end));
  for (std::size_t i = index_of(start); i < areas_.size() && areas_[i]->vm_start < end; ++i) {
    vm_area_struct& area = *areas_[i];
    {
      const mapping_guard file{area};
      area.vm_flags = (area.vm_flags & ~(vm_read | vm_write | vm_exec)) | prot;
    }
    set_protection(area.vm_start, area.vm_end, prot);
  }
  merge_around(start, end, removed);
  return done;
}

result<> mm_struct::check_mapped(user_address start, user_address end) {
  shared_guard guard{mmap_lock_};
  return is_mapped(start, end) ? result<>{} : fail(ENOMEM);
}

result<> mm_struct::drop_pages(user_address start, user_address end) {
  shared_guard guard{mmap_lock_};
  zap(start, end, true);
  return is_mapped(start, end) ? result<>{} : fail(ENOMEM);
}

result<> mm_struct::sync(user_address start, user_address end, bool wait) {
  bool whole = true;
  while (start < end) {
    vfs::file* f = nullptr;
    loff_t from = 0, to = 0;
    {
      shared_guard guard{mmap_lock_};
      const std::size_t i = index_of(start);
      if (i == areas_.size() || areas_[i]->vm_start >= end) return fail(ENOMEM);
      const vm_area_struct& area = *areas_[i];
      whole = whole && area.vm_start <= start;
      start = std::max(start, area.vm_start);
      const user_address stop = std::min(end, area.vm_end);
      if (wait && area.vm_file != nullptr && area.is_shared()) {
        f = area.vm_file;
        f->f_count.fetch_add(1, std::memory_order_relaxed);
        from = static_cast<loff_t>(area.pgoff_of(start).value() << page_shift);
        to = from + static_cast<loff_t>(stop - start);
      }
      start = stop;
    }
    if (f == nullptr) continue;
    const auto synced = vfs::vfs_fsync_range(*f, from, to, true);
    vfs::fput(*f);
    XIP_TRY(synced);
  }
  return whole ? result<>{} : fail(ENOMEM);
}

std::vector<mm_struct::area> mm_struct::areas() {
  std::vector<area> all;
  shared_guard guard{mmap_lock_};
  for (const vm_area_struct* a : areas_) all.push_back({a->vm_start, a->vm_end, a->vm_flags, a->vm_pgoff});
  return all;
}

}  // namespace xip::mm
