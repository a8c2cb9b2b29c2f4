// Between areas.cc, remap.cc and calls.cc.
#pragma once

#include <xip/mm/mm.h>

namespace xip::mm {

// A new area like OLD, of the same file: counted, and in no list. bad_alloc.
[[nodiscard]] vm_area_struct* clone_area(mm_struct& mm, std::pmr::memory_resource& memory, const vm_area_struct& old);
// It is in no list any more, or was in none. Drops its file: with no lock held.
void free_area(std::pmr::memory_resource& memory, vm_area_struct* area) noexcept;

// Areas that are taken out under mmap_lock, and freed without: the last reference of a file frees its blocks. Made before the lock is taken.
class removed_areas {
 public:
  explicit removed_areas(mm_struct& mm) noexcept : mm_{mm} {}
  ~removed_areas();
  removed_areas(const removed_areas&) = delete;
  removed_areas& operator=(const removed_areas&) = delete;
  void add(vm_area_struct& area) noexcept {
    area.i_mmap_next = first_;
    first_ = &area;
  }

 private:
  mm_struct& mm_;
  vm_area_struct* first_ = nullptr;
};

// A file's mapping enters and leaves its list. i_mmap_rwsem exclusive.
void link_mapping(vm_area_struct& area) noexcept;
void unlink_mapping(vm_area_struct& area) noexcept;

// What changes bounds or flags of a file's mapping holds this.
class mapping_guard {
 public:
  explicit mapping_guard(const vm_area_struct& area) noexcept {
    if (area.vm_file != nullptr) guard_.emplace(area.inode().i_mapping.i_mmap_rwsem);
  }

 private:
  std::optional<exclusive_guard<rw_semaphore<vfs::i_mmap_rwsem_class>>> guard_;
};

[[nodiscard]] constexpr user_address page_align(user_address a) noexcept { return (a + page_size - 1) & ~(user_address{page_size} - 1); }
[[nodiscard]] constexpr bool is_page_aligned(user_address a) noexcept { return (a & (page_size - 1)) == 0; }

}  // namespace xip::mm
