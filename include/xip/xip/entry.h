// Entries of i_mapping.i_pages: what page tables were given of a file, page by page, and the lock on that. Linux: the DAX entries of fs/dax.c.
//
// An entry is one page, or several that lie in one piece of the device and within 2 MiB of the file: up to all of these as a whole. It says that the zero page is mapped there (ZERO) or device memory (PFN), and of the latter whether a store
// went through a mapping that is not durable yet (DIRTY). It does not say where blocks are: that is the file system's to know, and while no task holds an
// entry, what is ZERO has no written block, or one of zeros that nobody has written since.
//
// Entries change under their lock only. Ranges are locked whole, and whoever overlaps waits; an entry is one lock, so a range that touches one holds all of it.
#pragma once

#include <cstddef>
#include <map>
#include <optional>

#include <xip/base/units.h>
#include <xip/locks/mutex.h>
#include <xip/locks/pseudo_lock.h>
#include <xip/locks/wait_queue.h>
#include <xip/mm/page_table.h>
#include <xip/vfs/inode.h>

namespace xip {

inline constexpr lock_class i_pages_class{"i_pages"};
inline constexpr lock_class dax_entry_class{"dax_entry", lock_kind::pseudo, true};

class entry_table;

enum class entry_kind : std::uint8_t { none, zero, pfn };

struct dax_entry {
  pgoff_t index;  // of its first page
  std::uint32_t pages = 1;
  entry_kind kind = entry_kind::none;
  bool dirty = false;
  std::uint64_t pfn = 0;        // which page of the device
  std::byte* memory = nullptr;  // in a window of it

  [[nodiscard]] pgoff_t last() const noexcept { return index + (pages - 1); }
  [[nodiscard]] std::size_t bytes() const noexcept { return std::size_t{pages} << page_shift; }
  // The same memory: what was found out about one holds for the other.
  [[nodiscard]] bool same_place(const dax_entry& o) const noexcept {
    return index == o.index && pages == o.pages && kind == o.kind && pfn == o.pfn;
  }
};

// Pages [FIRST, LAST] of an inode and the whole of what is mapped there, locked from construction on. Below an open handle, above i_data_sem; its holder starts no
// handle, waits for no commit and touches user memory only with faults disabled. Who has one asks for no other, but with i_rwsem exclusive.
class entry_range_lock {
 public:
  entry_range_lock(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept;
  ~entry_range_lock() { unlock(); }
  entry_range_lock(const entry_range_lock&) = delete;
  entry_range_lock& operator=(const entry_range_lock&) = delete;

  // Gives up the pages to the right of LAST, which lies in the range, but those of an entry that holds LAST.
  void shrink_to(pgoff_t last) noexcept;
  void unlock() noexcept;

  [[nodiscard]] pgoff_t first() const noexcept { return first_; }
  [[nodiscard]] pgoff_t last() const noexcept { return last_; }

  // The entry that holds INDEX, which is locked.
  [[nodiscard]] std::optional<dax_entry> get(pgoff_t index) const noexcept;
  // The first that is locked from INDEX on.
  [[nodiscard]] std::optional<dax_entry> next(pgoff_t index) const noexcept;
  // E is there now, instead of an entry of the same pages, or of none; a DIRTY one is not replaced by a clean one of the same place. All its pages are locked. ENOMEM.
  [[nodiscard]] result<> put(const dax_entry& e) noexcept;
  // The entry that begins at INDEX, which is locked, is gone, or DIRTY no more.
  void remove(pgoff_t index) noexcept;
  void clean(pgoff_t index) noexcept;

 private:
  friend class entry_table;
  entry_table* table_;
  pgoff_t wanted_first_, wanted_last_;
  pgoff_t first_, last_;  // with the whole of the entries at both ends
  entry_range_lock* next_ = nullptr;
};

class entry_table {
 public:
  explicit entry_table(vfs::inode& inode) noexcept;
  ~entry_table();

  // Gives INODE its table unless it has one. ENOMEM.
  [[nodiscard]] static result<> make(vfs::inode& inode) noexcept;
  // Of INODE; null: it has none, so no entry either.
  [[nodiscard]] static entry_table* find(const vfs::inode& inode) noexcept;
  // The table of INODE, which has one.
  [[nodiscard]] static entry_table& of(vfs::inode& inode) noexcept;
  // Before the inode goes. No entry is locked.
  static void release(vfs::inode& inode) noexcept;

  // As it is now: whoever holds its lock may change it. The first DIRTY one that ends at INDEX or behind it.
  [[nodiscard]] std::optional<dax_entry> next_dirty(pgoff_t index) noexcept;
  // No lock is needed to ask.
  [[nodiscard]] bool has_dirty() const noexcept { return dirty_.load(std::memory_order_acquire) != 0; }
  [[nodiscard]] bool has_zeros() const noexcept { return zeros_.load(std::memory_order_acquire) != 0; }
  // Calls VISIT for each entry, for checkers: alone, or under a scheduler.
  template <class Visit>
  void for_each(Visit&& visit) const XIP_NO_THREAD_SAFETY_ANALYSIS {
    for (const auto& [index, e] : entries_) visit(e);
  }
  // Somebody has locked INDEX; likewise.
  [[nodiscard]] bool is_locked(pgoff_t index) const noexcept;
  // How many entries there are; for tests.
  [[nodiscard]] std::size_t size() noexcept;
  [[nodiscard]] std::optional<dax_entry> peek(pgoff_t index) noexcept;

 private:
  friend class entry_range_lock;
  using map = std::pmr::map<std::uint64_t, dax_entry>;

  [[nodiscard]] bool overlaps_locked(const entry_range_lock& range) const noexcept XIP_REQUIRES(lock_);
  // The entry that holds INDEX, or the next one behind it.
  [[nodiscard]] map::iterator at_or_behind(pgoff_t index) noexcept XIP_REQUIRES(lock_);
  [[nodiscard]] std::optional<dax_entry> holding(pgoff_t index) noexcept XIP_REQUIRES(lock_);
  void widen(entry_range_lock& range) noexcept XIP_REQUIRES(lock_);
  // The entry WAS is NOW; either may be none.
  void count(const dax_entry& was, const dax_entry& now) noexcept XIP_REQUIRES(lock_);

  vfs::inode& inode_;
  mutex<i_pages_class> lock_;
  wait_queue unlocked_;
  entry_range_lock* locked_ XIP_GUARDED_BY(lock_) = nullptr;
  map entries_ XIP_GUARDED_BY(lock_);    // by first page
  std::atomic<std::uint64_t> dirty_{0};  // how many are; changed under lock_
  std::atomic<std::uint64_t> zeros_{0};  // likewise
};

}  // namespace xip
