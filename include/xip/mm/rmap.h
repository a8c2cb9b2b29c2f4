// From pages of a file to the page tables that map them, and to those who hold them otherwise. Linux: mm/rmap.c, unmap_mapping_pages (mm/memory.c),
// mm/gup.c.
#pragma once

#include <cstddef>

#include <xip/base/units.h>
#include <xip/mm/page_table.h>
#include <xip/vfs/file.h>
#include <xip/vfs/inode.h>

namespace xip::mm {

inline constexpr pgoff_t last_pgoff{~std::uint64_t{0}};

// No page table maps pages [FIRST, LAST] of INODE any more when it returns; what was stored through them before has been stored. Private copies go only
// with EVEN_COWS. A huge entry that overlaps goes as a whole. Takes i_mmap_rwsem shared and the locks of tables.
void unmap_mapping_range(vfs::inode& inode, pgoff_t first, pgoff_t last, bool even_cows) noexcept;
// No page table may write them any more: the next store faults. Linux: pfn_mkclean_range.
void write_protect_mapping_range(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept;

// A page in use by something other than a page table, such as a device that reads or writes it (get_user_pages). Its block is not freed as long as it
// lives: truncate waits. It keeps the file open. Linux: a reference of struct page.
class page_pin {
 public:
  page_pin() noexcept = default;
  page_pin(const page_pin&) = delete;
  page_pin& operator=(const page_pin&) = delete;
  ~page_pin() { unpin(); }

  // With no lock held: it may be the last to hold the inode.
  void unpin() noexcept;
  [[nodiscard]] bool pinned() const noexcept { return what_.present(); }
  // BYTES bytes at OFFSET of the page, as a device moves them.
  void read(std::size_t offset, void* to, std::size_t bytes) const noexcept;
  void write(std::size_t offset, const void* from, std::size_t bytes) noexcept;

 private:
  friend class mm_struct;
  friend struct pin_list;
  // Page INDEX of F that WHAT maps; an anonymous page if WHAT is one. Under the lock of the tables.
  void pin(const pte& what, vfs::file* f, pgoff_t index) noexcept;

  pte what_;
  pgoff_t index_;
  vfs::file* file_ = nullptr;  // counted: a mount with a pinned page is busy
  page_pin* next_ = nullptr;   // in s_pins
};

// Whether a page of [FIRST, LAST] of INODE is pinned. Linux: dax_layout_busy_page.
[[nodiscard]] bool is_pinned(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept;
// Returns when, for a moment, none was. Without invalidate_lock, which a fault for a new pin may need.
void wait_until_unpinned(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept;

}  // namespace xip::mm
