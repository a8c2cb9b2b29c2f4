// The dentry cache: names that were looked up, found or not. Linux: fs/dcache.c, include/linux/dcache.h.
//
// Each directory's dentry holds its cached children in a hash table under its own d_lock. A cached name without users stays; the shrinker
// drops it. A walk takes one d_lock at a time, shared; nobody ever holds two.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <xip/base/annotations.h>
#include <xip/base/result.h>
#include <xip/locks/rw_semaphore.h>
#include <xip/vfs/inode.h>
#include <xip/vfs/lock_classes.h>
#include <xip/vfs/super_block.h>

namespace xip::vfs {

inline constexpr std::size_t name_max = 255;
inline constexpr std::size_t path_max = 4096;  // with the terminating NUL, which paths here do not have

struct dentry {
  dentry(super_block& sb, dentry* parent, std::size_t hash) noexcept
      : d_sb{sb}, d_hash{hash}, d_parent{parent == nullptr ? this : parent} {}
  dentry(const dentry&) = delete;
  dentry& operator=(const dentry&) = delete;

  // References, and d_unhashed. One word, so that the last user of an unhashed dentry knows that it is the last.
  static constexpr std::uint32_t d_unhashed = 1u << 31;
  std::atomic<std::uint32_t> d_lockref{1};
  std::atomic<std::uint32_t> d_mounted{0};  // file systems mounted here
  std::atomic<bool> d_referenced{false};    // used since the shrinker last came by
  super_block& d_sb;
  std::atomic<inode*> d_inode{
      nullptr};  // counted; null: the name is known not to exist. While somebody holds the dentry it only goes from null to an inode

  // As a child. Stable while it is hashed: read under the parent's d_lock, or under its own.
  dentry* d_hash_next = nullptr;
  std::size_t d_hash;
  char* d_name = d_inline_name;
  std::uint32_t d_name_length = 0;
  std::uint32_t d_name_room = inline_room;
  static constexpr std::uint32_t inline_room = 40;
  char d_inline_name[inline_room] = {};
  char* d_spare_name = nullptr;  // name_max bytes made ready for a rename, under its directories' i_rwsem

  rw_semaphore<d_lock_class> d_lock;
  dentry* d_parent XIP_GUARDED_BY(d_lock);  // counted; itself: a root
  dentry** d_buckets XIP_GUARDED_BY(d_lock) = nullptr;
  std::uint32_t d_bucket_count XIP_GUARDED_BY(d_lock) = 0;  // a power of two, or 0
  std::atomic<std::uint32_t> d_child_count{0};              // changed under d_lock

  [[nodiscard]] std::string_view name() const noexcept { return {d_name, d_name_length}; }
  [[nodiscard]] bool is_hashed() const noexcept { return (d_lockref.load(std::memory_order_relaxed) & d_unhashed) == 0; }
  [[nodiscard]] inode* get_inode() const noexcept { return d_inode.load(std::memory_order_acquire); }
};

// The caller has a reference already.
inline void dget(dentry& d) noexcept { d.d_lockref.fetch_add(1, std::memory_order_relaxed); }
// May block and evict: with no lock held. Null is allowed.
void dput(dentry* d) noexcept;

// A counted dentry.
class dentry_ref {
 public:
  dentry_ref() noexcept = default;
  explicit dentry_ref(dentry* counted) noexcept : dentry_{counted} {}  // takes over one reference
  dentry_ref(dentry_ref&& o) noexcept : dentry_{o.release()} {}
  dentry_ref& operator=(dentry_ref&& o) noexcept {
    if (this != &o) {
      dput(dentry_);
      dentry_ = o.release();
    }
    return *this;
  }
  ~dentry_ref() { dput(dentry_); }
  [[nodiscard]] dentry* get() const noexcept { return dentry_; }
  [[nodiscard]] dentry& operator*() const noexcept { return *dentry_; }
  [[nodiscard]] dentry* operator->() const noexcept { return dentry_; }
  [[nodiscard]] explicit operator bool() const noexcept { return dentry_ != nullptr; }
  [[nodiscard]] dentry* release() noexcept {
    dentry* d = dentry_;
    dentry_ = nullptr;
    return d;
  }

 private:
  dentry* dentry_ = nullptr;
};

[[nodiscard]] std::size_t hash_name(std::string_view name) noexcept;

// The root of a file system; takes over ROOT's reference. ENOMEM: the reference is dropped.
[[nodiscard]] result<dentry*> d_make_root(super_block& sb, inode* root) noexcept;
// The cached child NAME, counted, negative or not; empty when nothing is known.
[[nodiscard]] dentry_ref d_lookup(dentry& parent, std::string_view name, std::size_t hash) noexcept;
// What a look-up FOUND (empty: nothing) becomes known; the parent's i_rwsem is held, shared at least. Another look-up may have been faster: its dentry is
// the answer then, and FOUND is left for the caller to drop once no lock is held. EUCLEAN: a directory with a second name. ENOMEM.
[[nodiscard]] result<dentry_ref> d_add(dentry& parent, std::string_view name, std::size_t hash, inode_ref& found) noexcept;
// A negative dentry gets its inode: the parent's i_rwsem is held exclusive.
void d_instantiate(dentry& d, inode_ref created) noexcept;
// A dentry outside of the tree for O_TMPFILE, under PARENT. Takes over the reference. ENOMEM.
[[nodiscard]] result<dentry_ref> d_tmpfile(dentry& parent, inode_ref created) noexcept;
// The name is gone; the parent's i_rwsem is held exclusive. A dentry that only the caller holds becomes negative, another one is unhashed and keeps its inode
// for those who have it open. Returns the reference to drop once no lock is held.
[[nodiscard]] inode_ref d_delete(dentry& d) noexcept;
// MOVED takes the place of TARGET (a dentry of NEW_PARENT, negative or replaced by the rename), TARGET is unhashed. Both parents' i_rwsem exclusive.
// d_reserve_name came before for those that get a longer name.
void d_move(dentry& moved, dentry& target, dentry& new_parent) noexcept;
// Both exist and change places.
void d_exchange(dentry& a, dentry& b) noexcept;
// Room for a name of LENGTH bytes, so that a later d_move or d_exchange cannot fail. ENOMEM.
[[nodiscard]] result<> d_reserve_name(dentry& d, std::size_t length) noexcept;
// The parent, counted; D itself for a root.
[[nodiscard]] dentry_ref dget_parent(dentry& d) noexcept;
// D is ANCESTOR or lies below it. Stable under s_vfs_rename_mutex.
[[nodiscard]] bool is_subdir(dentry& d, dentry& ancestor) noexcept;

// A name in DIR is known to exist. DIR's i_rwsem is held exclusive.
[[nodiscard]] bool has_known_names(dentry& dir) noexcept;
// DIR was removed, and all that is cached in it are names that do not exist: nobody finds them any more, and whoever still uses one drops it for good. Otherwise
// they would keep DIR for ever, which nothing leads to. DIR's i_rwsem is held exclusive.
void d_drop_children(dentry& dir) noexcept;

// Drops cached names below ROOT that nobody uses; SPARE_REFERENCED leaves those used since the last call. No lock held.
void shrink_dcache(dentry& root, bool spare_referenced) noexcept;

}  // namespace xip::vfs
