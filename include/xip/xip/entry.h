// Entries of i_mapping.i_pages: what the fault path knows of a page, and the lock on it. Linux: the DAX entries of fs/dax.c.
//
// Nothing is mapped into an address space yet, so an entry exists only while it is locked: the table is the list of locked ranges, each
// on its holder's stack. Ranges are locked whole and in ascending order; whoever overlaps waits.
#pragma once

#include <xip/base/units.h>
#include <xip/locks/mutex.h>
#include <xip/locks/pseudo_lock.h>
#include <xip/locks/wait_queue.h>
#include <xip/vfs/inode.h>

namespace xip {

inline constexpr lock_class i_pages_class{"i_pages"};
inline constexpr lock_class dax_entry_class{"dax_entry", lock_kind::pseudo, true};

class entry_table;

// Pages [FIRST, LAST] of an inode, locked from construction on. Below an open handle, above i_data_sem; its holder starts no handle, waits
// for no commit and touches user memory only with faults disabled.
class entry_range_lock {
 public:
  entry_range_lock(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept;
  ~entry_range_lock() { unlock(); }
  entry_range_lock(const entry_range_lock&) = delete;
  entry_range_lock& operator=(const entry_range_lock&) = delete;

  // Gives up the pages to the right of LAST, which lies in the range.
  void shrink_to(pgoff_t last) noexcept;
  void unlock() noexcept;

 private:
  friend class entry_table;
  entry_table* table_;
  pgoff_t first_, last_;
  entry_range_lock* next_ = nullptr;
};

class entry_table {
 public:
  // Gives INODE its table unless it has one. ENOMEM.
  [[nodiscard]] static result<> make(vfs::inode& inode) noexcept;
  // The table of INODE, which has one.
  [[nodiscard]] static entry_table& of(vfs::inode& inode) noexcept;
  // Before the inode goes. No entry is locked.
  static void release(vfs::inode& inode) noexcept;

 private:
  friend class entry_range_lock;
  [[nodiscard]] bool overlaps_locked(const entry_range_lock& range) const noexcept XIP_REQUIRES(lock_);

  mutex<i_pages_class> lock_;
  wait_queue unlocked_;
  entry_range_lock* locked_ XIP_GUARDED_BY(lock_) = nullptr;
};

}  // namespace xip
