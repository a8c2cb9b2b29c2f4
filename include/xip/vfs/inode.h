// inode and address_space. Linux: include/linux/fs.h, fs/inode.c.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory_resource>

#include <sys/stat.h>

#include <xip/base/points.h>
#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/locks/rw_semaphore.h>
#include <xip/locks/seqcount.h>
#include <xip/locks/spin_lock.h>
#include <xip/vfs/lock_classes.h>

namespace xip::mm {
struct vm_area_struct;
class page_pin;
}  // namespace xip::mm

namespace xip::vfs {

struct super_block;
struct dentry;
struct inode_operations;
struct file_operations;
struct file_lock_context;  // flock and fcntl locks: locks.cc
struct posix_acl;

// Seconds may be negative (before 1970); nanoseconds are 0 to 999,999,999.
struct timespec64 {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  friend constexpr auto operator<=>(const timespec64&, const timespec64&) noexcept = default;
};

// Live flags of an inode, Linux's S_ names.
inline constexpr std::uint32_t s_sync = 1u << 0;
inline constexpr std::uint32_t s_noatime = 1u << 1;
inline constexpr std::uint32_t s_append = 1u << 2;
inline constexpr std::uint32_t s_immutable = 1u << 3;
inline constexpr std::uint32_t s_dead = 1u << 4;    // a removed directory that somebody still has open; set by the VFS
inline constexpr std::uint32_t s_nosec = 1u << 12;  // it has no security.capability that a write would take away; set by the VFS
inline constexpr std::uint32_t s_dax = 1u << 13;
inline constexpr std::uint32_t s_linkable = 1u << 30;  // no name yet, but may be given one (O_TMPFILE); set by the VFS

// The pages of a file. Two members belong to rooms above: i_mmap to mm, i_pages to the XIP core.
struct address_space {
  rw_semaphore<invalidate_lock_class> invalidate_lock;
  rw_semaphore<i_mmap_rwsem_class> i_mmap_rwsem;
  mm::vm_area_struct* i_mmap XIP_GUARDED_BY(i_mmap_rwsem) = nullptr;  // the first of its mappings (xip/mm)
  void* i_pages = nullptr;                                            // made by the XIP core on first use
  std::atomic<std::uint32_t> wb_err{0};                               // errseq: bumped on each write-back error
};

// Write-back of this mapping failed with ERRNO: each file open now says so once, at its next fsync. Linux: lib/errseq.c.
void mapping_set_error(address_space& mapping, int number) noexcept;

struct inode_times {
  timespec64 atime, mtime, ctime, btime;
};

// What is known of one of an inode's access control lists (posix_acl.h). As it is made: nothing, so that nobody is let in by a list that was not read.
class acl_cache {
 public:
  // There is none, and that is known. No lock is needed to ask.
  [[nodiscard]] bool is_none() const noexcept { return acl_.load(std::memory_order_acquire) == nullptr; }

 private:
  friend struct acl_cache_access;  // posix_acl.cc
  [[nodiscard]] static const posix_acl* unknown() noexcept { return reinterpret_cast<const posix_acl*>(~std::uintptr_t{0}); }

  std::atomic<const posix_acl*> acl_{unknown()};  // counted; null: no list lies there; changed under i_lock
  std::uint32_t changes_ = 0;                     // how often it was; under i_lock
};

// inode.i_state: what the inode cache is doing with it.
inline constexpr std::uint32_t i_new = 1u << 0;      // being filled in: others wait
inline constexpr std::uint32_t i_freeing = 1u << 1;  // being evicted: others wait until the number is free
inline constexpr std::uint32_t i_bad = 1u << 2;      // filling in failed, or mark_inode_bad: nobody else may have it
inline constexpr std::uint32_t i_hashed = 1u << 3;   // found by its number

// A file system embeds it as the base of its own inode. Counted; the last iput of an unlinked inode evicts it.
struct inode {
  inode(super_block& sb, ino_t number) noexcept : i_sb{sb}, i_ino{number} {}
  virtual ~inode();
  inode(const inode&) = delete;
  inode& operator=(const inode&) = delete;

  super_block& i_sb;
  const ino_t i_ino;
  const inode_operations* i_op = nullptr;
  const file_operations* i_fop = nullptr;

  // Directories: taken by the VFS around names. Everything else: taken by the file system's own hooks.
  rw_semaphore<i_rwsem_class> i_rwsem;
  address_space i_mapping;

  std::atomic<std::uint32_t> i_mode{0};  // type and permission bits; changed under i_rwsem exclusive
  std::atomic<std::uint32_t> i_uid{0};
  std::atomic<std::uint32_t> i_gid{0};
  std::atomic<std::uint32_t> i_nlink{0};
  std::atomic<std::uint32_t> i_flags{0};   // s_ flags
  std::atomic<std::uint64_t> i_blocks{0};  // in 512-byte units
  std::uint64_t i_rdev = 0;
  std::uint32_t i_generation = 0;
  std::atomic<std::uint32_t> i_count{1};

  // Times are read without a lock and written under i_lock.
  [[nodiscard]] inode_times times() const noexcept;
  void set_times(const inode_times& t) noexcept;
  // CHANGE(times, TO) in one step: what others change in other fields meanwhile is kept.
  void change_times(void (*change)(inode_times& t, const timespec64& to), const timespec64& to) noexcept;
  // What the read and write path asks of the times without reading them, in nanoseconds of the coarse clock: until when a read leaves atime alone
  // under relatime, and when mtime and ctime both are (INT64_MIN: they differ).
  [[nodiscard]] std::int64_t atime_due() const noexcept { return atime_due_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t changed_at() const noexcept { return changed_at_.load(std::memory_order_relaxed); }
  mutable spin_lock<i_lock_class> i_lock;
  mutable acl_cache i_acl, i_default_acl;

  [[nodiscard]] bool is_dir() const noexcept { return S_ISDIR(i_mode.load(std::memory_order_relaxed)); }
  [[nodiscard]] bool is_reg() const noexcept { return S_ISREG(i_mode.load(std::memory_order_relaxed)); }
  [[nodiscard]] bool is_symlink() const noexcept { return S_ISLNK(i_mode.load(std::memory_order_relaxed)); }
  [[nodiscard]] bool is_dax() const noexcept { return (i_flags.load(std::memory_order_relaxed) & s_dax) != 0; }

  std::atomic<loff_t> i_size{0};                     // bytes; through i_size_read and i_size_write only
  std::atomic<file_lock_context*> i_flctx{nullptr};  // made by the first lock, freed with the inode

  // The inode cache's, under the lock of its shard.
  inode* i_hash_next = nullptr;
  std::uint32_t i_state = 0;
  int i_error = 0;                         // why filling in failed
  std::atomic<dentry*> i_dentry{nullptr};  // a directory has one name at most: a second one is corruption

 private:
  void store_times(const inode_times& t) noexcept XIP_REQUIRES(i_lock);

  seqcount times_sequence_;
  seq_words<inode_times> times_;
  std::atomic<std::int64_t> atime_due_{INT64_MIN};
  std::atomic<std::int64_t> changed_at_{0};
};

[[nodiscard]] inline loff_t i_size_read(const inode& i) noexcept { return i.i_size.load(std::memory_order_acquire); }
// The caller holds i_rwsem exclusive (or the inode is new and nobody else has it).
inline void i_size_write(inode& i, loff_t size) noexcept {
  XIP_POINT(vfs_before_i_size, i.i_ino.value(), static_cast<std::uint64_t>(size));
  i.i_size.store(size, std::memory_order_release);
  XIP_POINT(vfs_i_size_stored, i.i_ino.value(), static_cast<std::uint64_t>(size));
}

// Counting. iput of the last reference calls s_op->evict_inode and frees it; it may block and must not run under locks or an open handle.
// Until evict_inode has returned nobody gets the inode's number from iget_locked or insert_inode_locked: they wait.
void ihold(inode& i) noexcept;
void iput(inode* i) noexcept;

// A counted inode.
class inode_ref {
 public:
  inode_ref() noexcept = default;
  explicit inode_ref(inode* counted) noexcept : inode_{counted} {}  // takes over one reference
  inode_ref(inode_ref&& o) noexcept : inode_{o.release()} {}
  inode_ref& operator=(inode_ref&& o) noexcept {
    if (this != &o) {
      iput(inode_);
      inode_ = o.release();
    }
    return *this;
  }
  ~inode_ref() { iput(inode_); }
  [[nodiscard]] inode* get() const noexcept { return inode_; }
  [[nodiscard]] inode& operator*() const noexcept { return *inode_; }
  [[nodiscard]] inode* operator->() const noexcept { return inode_; }
  [[nodiscard]] explicit operator bool() const noexcept { return inode_ != nullptr; }
  [[nodiscard]] inode* release() noexcept {
    inode* i = inode_;
    inode_ = nullptr;
    return i;
  }

 private:
  inode* inode_ = nullptr;
};

// The cached inode NUMBER of SB, or a new one that the caller must fill in and publish (Linux: iget_locked).
// At most one thread fills in a number; others wait until unlock_new_inode or iget_failed.
struct iget_answer {
  inode_ref ref;
  bool is_new = false;
};
[[nodiscard]] result<iget_answer> iget_locked(super_block& sb, ino_t number);
// The inode is complete: others may have it.
void unlock_new_inode(inode& i) noexcept;
// Filling in failed: waiters are told EIO/EUCLEAN (WHY), the inode goes with its last reference and is not evicted.
void iget_failed(inode_ref ref, error why) noexcept;
// Puts a freshly made inode (create) into the cache under its number, as new. EEXIST if the number is cached: a corrupt bitmap.
// Waits for an inode of that number that is being evicted: evict_inode must not wait for anybody once it has given the number back.
[[nodiscard]] result<> insert_inode_locked(inode& i);
// Calls VISIT for each inode in memory of SB that WANTED is true of, with a reference held and no lock. WANTED is asked under a lock of the cache: it
// looks at what it is given and takes none. An inode that is being evicted is waited for. The first error of VISIT, after all were visited. ENOMEM.
[[nodiscard]] result<> for_each_inode(super_block& sb, bool (*wanted)(const inode& i), result<> (*visit)(inode& i));
// The last iput will evict it even if it has links (a failed create): its link count becomes 0.
void mark_inode_bad(inode& i) noexcept;

// The coarse clock, as file times use it.
[[nodiscard]] timespec64 current_time() noexcept;
// The same, rounded down to what INODE's file system can store.
[[nodiscard]] timespec64 current_time(const inode& i) noexcept;
// Linux's inode_update_time for mtime and ctime (namespace changes, fallocate): sets them to now; no update_time call, the caller writes the inode.
void inode_touch_mtime_ctime(inode& i) noexcept;
void inode_touch_ctime(inode& i) noexcept;

}  // namespace xip::vfs
