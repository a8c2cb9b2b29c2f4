// Areas of an address space and the faults in them: what a file system's hooks and the XIP core see of this room. Linux: struct vm_area_struct,
// struct vm_fault, struct vm_operations_struct (include/linux/mm.h).
#pragma once

#include <cstdint>

#include <xip/base/units.h>
#include <xip/mm/page_table.h>
#include <xip/vfs/file.h>

namespace xip::mm {

class mm_struct;
struct vm_operations_struct;

// vm_flags
inline constexpr std::uint32_t vm_read = 1u << 0;
inline constexpr std::uint32_t vm_write = 1u << 1;
inline constexpr std::uint32_t vm_exec = 1u << 2;
inline constexpr std::uint32_t vm_shared = 1u << 3;
inline constexpr std::uint32_t vm_mayread = 1u << 4;  // mprotect may set it
inline constexpr std::uint32_t vm_maywrite = 1u << 5;
inline constexpr std::uint32_t vm_mayexec = 1u << 6;
inline constexpr std::uint32_t vm_sync = 1u << 23;      // MAP_SYNC
inline constexpr std::uint32_t vm_hugepage = 1u << 29;  // set by .mmap: 2 MiB at a time, where that can be

// One mapping. Its bounds and flags change under mmap_lock exclusive, and of a file's mapping under i_mmap_rwsem exclusive besides: who holds either
// of them in any way may read them.
struct vm_area_struct {
  mm_struct* vm_mm = nullptr;
  user_address vm_start = 0, vm_end = 0;  // [start, end), whole pages
  std::uint32_t vm_flags = 0;
  pgoff_t vm_pgoff;              // of vm_start in the file
  vfs::file* vm_file = nullptr;  // counted; null: anonymous memory
  const vm_operations_struct* vm_ops = nullptr;
  // The list of i_mmap, under i_mmap_rwsem.
  vm_area_struct* i_mmap_next = nullptr;
  vm_area_struct** i_mmap_link = nullptr;

  [[nodiscard]] bool is_shared() const noexcept { return (vm_flags & vm_shared) != 0; }
  [[nodiscard]] vfs::inode& inode() const noexcept { return *vm_file->f_inode; }
  [[nodiscard]] pgoff_t pgoff_of(user_address address) const noexcept { return vm_pgoff + ((address - vm_start) >> page_shift); }
  [[nodiscard]] user_address address_of(pgoff_t index) const noexcept { return vm_start + ((index - vm_pgoff) << page_shift); }
  [[nodiscard]] std::uint64_t pages() const noexcept { return (vm_end - vm_start) >> page_shift; }
};

// How a fault ended. Linux: vm_fault_t.
enum class vm_fault_t : std::uint8_t {
  nopage,    // the entry is there, or will be when the access is tried again
  major,     // the same, and a block was allocated
  fallback,  // not in this order: try pages
  sigbus,
  oom,
};
[[nodiscard]] constexpr bool is_error(vm_fault_t f) noexcept { return f == vm_fault_t::sigbus || f == vm_fault_t::oom; }

// One fault, under mmap_lock shared.
struct vm_fault {
  const vm_area_struct& vma;
  user_address address;      // of the access, whole pages
  pgoff_t pgoff;             // of the file
  bool write;                // the access is a store
  page* cow_page = nullptr;  // a store into a private area: filled by the hook, taken by finish_cow_fault

  // It makes the file change. A store into a private area does not: it gets a copy.
  [[nodiscard]] bool changes_file() const noexcept { return write && vma.is_shared(); }
};

// What a file system answers faults with. mmap_lock is held shared, nothing else; they may block.
struct vm_operations_struct {
  // There is no entry.
  vm_fault_t (*fault)(vm_fault& vmf) = nullptr;
  // The same for all that an entry of ORDER holds around the address: it lies in the area, and at the place in memory that it has in the file. fallback: not so.
  // A run lies where it likes, and may reach out of the area.
  vm_fault_t (*huge_fault)(vm_fault& vmf, fault_order order) = nullptr;
  // There is one that may not be written, of a shared area: of a page, of device memory or zeros. Null: fault is asked.
  vm_fault_t (*page_mkwrite)(vm_fault& vmf) = nullptr;
  vm_fault_t (*pfn_mkwrite)(vm_fault& vmf) = nullptr;
  // What is written of PAGES, to be read, in runs as long as they come. Allocates nothing. Linux: filemap_map_pages.
  vm_fault_t (*map_pages)(vm_fault& vmf, page_run pages) = nullptr;
};

// ---- for those hooks: setting the entry. They take the lock of the tables, and find the memory for tables ready.

// The zero page, to be read. An entry that is there already stays.
vm_fault_t insert_zero(const vm_fault& vmf, fault_order order) noexcept;
// Device memory: MEMORY is page PFN of the device, which is the file's. An entry for the same page becomes writable if WRITE; another one stays.
vm_fault_t insert_pfn(const vm_fault& vmf, fault_order order, std::uint64_t pfn, std::byte* memory, bool write) noexcept;
// The same for the pages of a run that lie in the area: those that have no entry get one.
vm_fault_t insert_zeros(const vm_fault& vmf, page_run run) noexcept;
vm_fault_t insert_pfns(const vm_fault& vmf, page_run run, std::uint64_t pfn, std::byte* memory, bool write) noexcept;
// vmf.cow_page, which has its contents, writable. Linux: finish_fault.
vm_fault_t finish_cow_fault(vm_fault& vmf) noexcept;

}  // namespace xip::mm
