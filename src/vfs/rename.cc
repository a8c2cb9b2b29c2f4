// rename and renameat2. Linux: fs/namei.c (do_renameat2, vfs_rename, lock_rename).
//
// Two directories are locked under s_vfs_rename_mutex: while it is held no directory moves, so "ancestor first" has a meaning; two that are not related go by
// inode number. Then the two inodes: a directory before what is none, as whoever changes names in it has locked it first; two of a kind by number. A directory is
// never both a parent and a child here: that was refused before.
//
// Lock chains:
//   s_vfs_rename_mutex -> i_rwsem/1 -> i_rwsem/3
//   i_rwsem/3 -> i_rwsem/2 -> i_rwsem
//   i_rwsem/1 -> i_rwsem/2 -> i_rwsem
//   s_vfs_rename_mutex -> d_lock
//   i_rwsem/3 -> d_lock
#include <linux/fs.h>

#include <optional>

#include <xip/vfs/ops.h>

#include "vfs/hook.h"
#include "vfs/namei.h"
#include "vfs/permission.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

using i_rwsem_guard = exclusive_guard<rw_semaphore<i_rwsem_class>>;

// Both directories of a rename, locked until the end of the scope. Linux: lock_rename.
class rename_lock {
 public:
  rename_lock(dentry& a, dentry& b) XIP_NO_THREAD_SAFETY_ANALYSIS {
    if (&a == &b) {
      first_.emplace(a.get_inode()->i_rwsem, subclass_parent);
      return;
    }
    if (XIP_EXHIBIT(rename_order_by_call)) {
      first_.emplace(a.get_inode()->i_rwsem, subclass_parent);
      second_.emplace(b.get_inode()->i_rwsem, subclass_second);
      return;
    }
    mutex_.emplace(a.d_sb.s_vfs_rename_mutex);
    a_below_b_ = is_subdir(a, b);
    b_below_a_ = is_subdir(b, a);
    const bool b_first = a_below_b_ || (!b_below_a_ && b.get_inode()->i_ino < a.get_inode()->i_ino);
    first_.emplace((b_first ? b : a).get_inode()->i_rwsem, subclass_parent);
    second_.emplace((b_first ? a : b).get_inode()->i_rwsem, subclass_second);
  }

 private:
  bool a_below_b_ = false;
  bool b_below_a_ = false;
  std::optional<mutex_guard<mutex<s_vfs_rename_mutex_class>>> mutex_;
  std::optional<i_rwsem_guard> first_;
  std::optional<i_rwsem_guard> second_;
};

// The two that move: a directory before what is none, two of a kind by number. B may be null or the same.
class inode_pair_lock {
 public:
  inode_pair_lock(inode& a, inode* b) XIP_NO_THREAD_SAFETY_ANALYSIS {
    inode* before = &a;
    inode* behind = b == &a ? nullptr : b;
    if (behind != nullptr && comes_before(*behind, *before)) std::swap(before, behind);
    first_.emplace(before->i_rwsem, subclass_child);
    if (behind != nullptr) second_.emplace(behind->i_rwsem, subclass_normal);
  }

 private:
  [[nodiscard]] static bool comes_before(const inode& a, const inode& b) noexcept {
    return a.is_dir() != b.is_dir() ? a.is_dir() : a.i_ino < b.i_ino;
  }
  std::optional<i_rwsem_guard> first_;
  std::optional<i_rwsem_guard> second_;
};

// While the cache's tree changes: see s_rename_sequence.
class moving_scope {
 public:
  moving_scope(super_block& sb, bool between_directories) noexcept : sb_{between_directories ? &sb : nullptr} { count(); }
  ~moving_scope() { count(); }
  moving_scope(const moving_scope&) = delete;
  moving_scope& operator=(const moving_scope&) = delete;

 private:
  void count() noexcept {
    if (sb_ != nullptr) sb_->s_rename_sequence.fetch_add(1, std::memory_order_acq_rel);
  }
  super_block* sb_;
};

struct rename_end {
  dentry& dir;
  dentry& child;
  std::string_view name;

  [[nodiscard]] inode& dir_inode() const noexcept { return *dir.get_inode(); }
  [[nodiscard]] inode* get_inode() const noexcept { return child.get_inode(); }
};

[[nodiscard]] result<> may_rename(const rename_end& from, const rename_end& to, unsigned flags) {
  const bool exchange = (flags & RENAME_EXCHANGE) != 0;
  const inode& source = *from.get_inode();
  const inode* target = to.get_inode();
  XIP_TRY(may_delete(from.dir_inode(), source, source.is_dir()));
  if (target == nullptr)
    XIP_TRY(may_create(to.dir_inode()));
  else
    XIP_TRY(may_delete(to.dir_inode(), *target, exchange ? target->is_dir() : source.is_dir()));
  // A directory's ".." changes with its parent: that is writing to it.
  if (&from.dir == &to.dir) return {};
  if (source.is_dir()) XIP_TRY(inode_permission(source, may_write));
  if (exchange && target->is_dir()) XIP_TRY(inode_permission(*target, may_write));
  return {};
}

// Linux: vfs_rename. Both directories are locked. GONE is what the name TO stood for, to be dropped when they are not any more.
[[nodiscard]] result<> rename_locked(const rename_end& from, const rename_end& to, unsigned flags) {
  const bool exchange = (flags & RENAME_EXCHANGE) != 0;
  inode& source = *from.get_inode();
  inode* target = to.get_inode();
  if (target == &source) return {};
  XIP_TRY(may_rename(from, to, flags));
  if (from.dir_inode().i_op->rename == nullptr) return fail(EPERM);
  XIP_TRY(d_reserve_name(from.child, to.name.size()));
  if (exchange) XIP_TRY(d_reserve_name(to.child, from.name.size()));
  const inode_pair_lock guard{source, target};
  if (from.child.d_mounted.load(std::memory_order_acquire) != 0 || to.child.d_mounted.load(std::memory_order_acquire) != 0)
    return fail(EBUSY);
  const bool removes_directory = !exchange && target != nullptr && target->is_dir();
  if (removes_directory && has_known_names(to.child)) return fail(ENOTEMPTY);
  XIP_TRY(
      call_hook(hook::rename, from.dir_inode().i_op->rename, from.dir_inode(), from.name, source, to.dir_inode(), to.name, target, flags));
  const moving_scope moving{source.i_sb, &from.dir != &to.dir};
  if (exchange) {
    d_exchange(from.child, to.child);
    return {};
  }
  if (removes_directory) {
    target->i_flags.fetch_or(s_dead, std::memory_order_relaxed);
    d_drop_children(to.child);
  }
  d_move(from.child, to.child, to.dir);
  return {};
}

// What the walk has found is looked at under the locks.
[[nodiscard]] result<> check_ends(const nameidata& from_nd, const nameidata& to_nd, const rename_end& from, const rename_end& to,
                                  unsigned flags) {
  const inode* source = from.get_inode();
  const inode* target = to.get_inode();
  if (source == nullptr) return fail(ENOENT);
  if ((flags & RENAME_NOREPLACE) != 0 && target != nullptr) return fail(EEXIST);
  if ((flags & RENAME_EXCHANGE) != 0) {
    if (target == nullptr) return fail(ENOENT);
    if (!target->is_dir() && to_nd.trailing_slash()) return fail(ENOTDIR);
  }
  if (!source->is_dir()) {
    if (from_nd.trailing_slash()) return fail(ENOTDIR);
    if ((flags & RENAME_EXCHANGE) == 0 && to_nd.trailing_slash()) return fail(ENOTDIR);
  }
  if (&from.dir == &to.dir) return {};
  // Neither may be an ancestor of the other's directory.
  if (is_subdir(to.dir, from.child)) return fail(EINVAL);
  if (target != nullptr && is_subdir(from.dir, to.child)) return fail((flags & RENAME_EXCHANGE) != 0 ? EINVAL : ENOTEMPTY);
  return {};
}

[[nodiscard]] result<> rename_names(nameidata& from_nd, nameidata& to_nd, unsigned flags) {
  path_ref& from_dir = from_nd.parent();
  path_ref& to_dir = to_nd.parent();
  if (&from_dir.mnt() != &to_dir.mnt()) return fail(EXDEV);
  if (from_nd.type() != last_type::normal) return fail(EBUSY);
  if (to_nd.type() != last_type::normal) return fail((flags & RENAME_NOREPLACE) != 0 ? EEXIST : EBUSY);
  const write_access access = XIP_TRY(write_access::want(from_dir.mnt()));
  inode_ref from_spare, to_spare;
  dentry_ref source, target;
  const rename_lock guard{from_dir.dent(), to_dir.dent()};
  source = XIP_TRY(lookup_locked(from_dir.dent(), from_nd.last(), from_spare));
  target = XIP_TRY(lookup_locked(to_dir.dent(), to_nd.last(), to_spare));
  const rename_end from{from_dir.dent(), *source, from_nd.last()};
  const rename_end to{to_dir.dent(), *target, to_nd.last()};
  XIP_TRY(check_ends(from_nd, to_nd, from, to, flags));
  return rename_locked(from, to, flags);
}

}  // namespace

result<> task::rename(std::string_view from, std::string_view to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

result<> task::renameat2(at from_dir, std::string_view from, at to_dir, std::string_view to, unsigned flags) {
  return system_call(*this, [&]() -> result<> {
    if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) != 0) return fail(EINVAL);
    if ((flags & RENAME_EXCHANGE) != 0 && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) != 0) return fail(EINVAL);
    nameidata from_nd{*this};
    nameidata to_nd{*this};
    XIP_TRY(from_nd.parent_lookup(from_dir, from));
    XIP_TRY(to_nd.parent_lookup(to_dir, to));
    return rename_names(from_nd, to_nd, flags);
  });
}

}  // namespace xip::vfs
