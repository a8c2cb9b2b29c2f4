// rename and renameat2. Linux: ext4_rename, ext4_cross_rename (fs/ext4/namei.c).
//
// All of it under one handle: after a crash the old name stands for the inode, or the new one does. The VFS holds both directories and both
// inodes. What has to be read is read and held before the first name changes; only a name that is added can still fail, and comes first.
// A whiteout, the device that an overlay takes for "not here", is made under the same handle and takes the place of the old name.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> s_orphan_lock
#include <linux/fs.h>

#include <optional>

#include "fs_ext4lite/name_hooks.h"
#include "fs_ext4lite/xattr.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] std::uint32_t mode_of(const vfs::inode& i) noexcept { return i.i_mode.load(std::memory_order_relaxed); }

// One end of a rename: a name in a directory, and what it stands for (null: nothing).
struct rename_end {
  ext4_inode_info& dir;
  std::string_view name;
  ext4_inode_info* inode;

  [[nodiscard]] bool is_dir() const noexcept { return inode != nullptr && inode->is_dir(); }
};

[[nodiscard]] result<dir_entry_location> locate_end(const rename_end& end) {
  auto where = XIP_TRY(dir_locate(end.dir, end.name));
  if (!where || where->found.entry.inode != end.inode->i_ino) return fail(ENOENT);
  return std::move(*where);
}

// Both names, the .. of both inodes, the four inodes, an orphan.
[[nodiscard]] std::uint32_t credits_rename(const rename_end& from, const rename_end& to) noexcept {
  return credits_dir_add(to.dir) + 2 * credits_dir_remove(from.dir) + 2 + 4 * credits_inode + credits_orphan;
}

// A directory is about to move from one parent to another: where its .. stands, which changes. Nothing if it does not.
[[nodiscard]] result<std::optional<dir_entry_location>> check_moved_dir(const rename_end& from, const rename_end& to) {
  if (!from.is_dir() || &from.dir == &to.dir) return std::nullopt;
  if (!to.is_dir() && dir_link_max(to.dir)) return fail(EMLINK);
  return dir_locate(*from.inode, "..");
}

[[nodiscard]] result<> move_parent(handle& h, const rename_end& from, const std::optional<dir_entry_location>& dotdot,
                                   const rename_end& to) {
  return dotdot ? dir_retarget(h, *from.inode, *dotdot, to.dir.i_ino, S_IFDIR) : result<>{};
}

// What the new name stood for loses a link.
[[nodiscard]] result<> drop_target(handle& h, ext4_inode_info& target) {
  vfs::inode_touch_ctime(target);
  drop_link(target);
  if (target.is_dir()) vfs::i_size_write(target, 0);
  if (target.i_nlink.load(std::memory_order_relaxed) == 0) XIP_TRY(orphan_add(h, target));
  return mark_inode_dirty(h, target);
}

// The new name stands for the inode that moves.
[[nodiscard]] result<> set_new_name(handle& h, const rename_end& from, const rename_end& to,
                                    const std::optional<dir_entry_location>& there) {
  if (there) return dir_retarget(h, to.dir, *there, from.inode->i_ino, mode_of(*from.inode));
  return dir_add(h, to.dir, to.name, from.inode->i_ino, mode_of(*from.inode));
}

// A new inode that has its name: others may have it.
[[nodiscard]] vfs::inode_ref named(ext4_inode_info& inode) noexcept {
  vfs::unlock_new_inode(inode);
  return vfs::inode_ref{&inode};
}

// A directory that moves takes its .. from one parent's count to the other's; one that is replaced leaves its own.
void count_parents(const rename_end& from, const rename_end& to) noexcept {
  if (!from.is_dir()) return;
  if (&from.dir != &to.dir) inc_dir_count(to.dir);
  if (&from.dir != &to.dir) dec_dir_count(from.dir);
  if (to.is_dir()) dec_dir_count(to.dir);
}

// Where the old name stands when the new one has been added to the same directory, which may have moved it. Without it the new one goes again.
[[nodiscard]] result<dir_entry_location> locate_after_add(handle& h, const rename_end& from, const rename_end& to) {
  auto here = locate_end(from);
  if (!here) XIP_TRY(whole_or_abort(h.sb(), dir_remove(h, to.dir, to.name, from.inode->i_ino)));
  return here;
}

// What a rename has looked up before its handle: where the new name stands already, the old one, and the .. that has to follow.
struct rename_places {
  std::optional<dir_entry_location> there;
  dir_entry_location here;
  std::optional<dir_entry_location> dotdot;
};

// The new name stands. The old one goes, or stands for WHITEOUT.
[[nodiscard]] result<> complete_rename(handle& h, const rename_end& from, const rename_end& to, const rename_places& at,
                                       const ext4_inode_info* whiteout) {
  XIP_TRY(whiteout == nullptr ? dir_erase(h, from.dir, at.here) : dir_retarget(h, from.dir, at.here, whiteout->i_ino, S_IFCHR));
  XIP_TRY(move_parent(h, from, at.dotdot, to));
  count_parents(from, to);
  vfs::inode_touch_ctime(*from.inode);
  XIP_TRY(mark_inode_dirty(h, *from.inode));
  XIP_TRY(names_changed(h, from.dir));
  XIP_TRY(names_changed(h, to.dir));
  return to.inode != nullptr ? drop_target(h, *to.inode) : result<>{};
}

[[nodiscard]] result<> change_names(handle& h, const rename_end& from, const rename_end& to, rename_places& at,
                                    const ext4_inode_info* whiteout) {
  XIP_TRY(set_new_name(h, from, to, at.there));
  if (!at.there && &from.dir == &to.dir) at.here = XIP_TRY(locate_after_add(h, from, to));
  return whole_or_abort(h.sb(), complete_rename(h, from, to, at, whiteout));
}

[[nodiscard]] result<> rename_once(const rename_end& from, const rename_end& to, bool leaves_whiteout) {
  vfs::inode_ref made;  // outlives the handle
  rename_places at;
  if (to.inode != nullptr) at.there = XIP_TRY(locate_end(to));
  if (to.is_dir() && !XIP_TRY(dir_is_empty(*to.inode))) return fail(ENOTEMPTY);
  at.here = XIP_TRY(locate_end(from));
  at.dotdot = XIP_TRY(check_moved_dir(from, to));
  if (!at.there) XIP_TRY(check_room(to.dir, to.name, 0));
  const held_slots held = XIP_TRY(hold_slots({&from.dir, &to.dir, from.inode, to.inode}));
  const std::uint32_t more = leaves_whiteout ? credits_new_inode(from.dir) + credits_orphan : 0;
  handle h = XIP_TRY(journal_start(sbi_of(from.dir), credits_rename(from, to) + more));
  ext4_inode_info* const whiteout = leaves_whiteout ? XIP_TRY(new_inode(h, from.dir, S_IFCHR, from.name)) : nullptr;
  result<> changed = whiteout != nullptr ? store_inherited_acls(h, *whiteout) : result<>{};
  if (changed) changed = change_names(h, from, to, at, whiteout);
  if (whiteout != nullptr) made = changed ? named(*whiteout) : abandon(h, *whiteout);
  XIP_TRY(changed);
  return finish(h, to.dir, from.dir);
}

// Both names stand for the other's inode. DOTDOT_OF_: where the .. stands that has to follow.
[[nodiscard]] result<> complete_exchange(handle& h, const rename_end& a, const std::optional<dir_entry_location>& dotdot_of_a,
                                         const rename_end& b, const std::optional<dir_entry_location>& dotdot_of_b) {
  XIP_TRY(move_parent(h, a, dotdot_of_a, b));
  XIP_TRY(move_parent(h, b, dotdot_of_b, a));
  if (&a.dir != &b.dir && a.is_dir() != b.is_dir()) {
    dec_dir_count(a.is_dir() ? a.dir : b.dir);
    inc_dir_count(a.is_dir() ? b.dir : a.dir);
  }
  for (ext4_inode_info* i : {a.inode, b.inode}) {
    vfs::inode_touch_ctime(*i);
    XIP_TRY(mark_inode_dirty(h, *i));
  }
  XIP_TRY(names_changed(h, a.dir));
  return names_changed(h, b.dir);
}

[[nodiscard]] result<> exchange(const rename_end& a, const rename_end& b) {
  if (b.inode == nullptr) return fail(ENOENT);
  const dir_entry_location at_a = XIP_TRY(locate_end(a));
  const dir_entry_location at_b = XIP_TRY(locate_end(b));
  const auto dotdot_of_a = XIP_TRY(check_moved_dir(a, b));
  const auto dotdot_of_b = XIP_TRY(check_moved_dir(b, a));
  const held_slots held = XIP_TRY(hold_slots({&a.dir, &b.dir, a.inode, b.inode}));
  handle h = XIP_TRY(journal_start(sbi_of(a.dir), credits_rename(a, b)));
  XIP_TRY(dir_retarget(h, a.dir, at_a, b.inode->i_ino, mode_of(*b.inode)));
  XIP_TRY(whole_or_abort(h.sb(), dir_retarget(h, b.dir, at_b, a.inode->i_ino, mode_of(*a.inode))));
  XIP_TRY(whole_or_abort(h.sb(), complete_exchange(h, a, dotdot_of_a, b, dotdot_of_b)));
  return finish(h, b.dir, a.dir);
}

}  // namespace

result<> ext4_rename(vfs::inode& old_dir, std::string_view old_name, vfs::inode& source, vfs::inode& new_dir, std::string_view new_name,
                     vfs::inode* target, unsigned flags) {
  if (new_name.size() > name_len_max) return fail(ENAMETOOLONG);
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) != 0) return fail(EINVAL);
  if ((flags & RENAME_NOREPLACE) != 0 && target != nullptr) return fail(EEXIST);
  const rename_end from{info_of(old_dir), old_name, &info_of(source)};
  const rename_end to{info_of(new_dir), new_name, target != nullptr ? &info_of(*target) : nullptr};
  return with_space(sbi_of(old_dir), [&] {
    return (flags & RENAME_EXCHANGE) != 0 ? exchange(from, to) : rename_once(from, to, (flags & RENAME_WHITEOUT) != 0);
  });
}

}  // namespace xip::ext4lite
