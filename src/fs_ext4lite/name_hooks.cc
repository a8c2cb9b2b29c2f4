// The doors to names: looking up, and making. Linux: fs/ext4/namei.c.
//
// A new inode, its contents and its name are made under one handle: after a crash there are all of them or none. Where the name cannot be
// added, the inode goes onto the orphan list under the same handle, and away with its last reference.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> i_data_sem
//   i_rwsem -> jbd2_handle -> s_orphan_lock
//   i_rwsem -> invalidate_lock -> jbd2_handle
#include "fs_ext4lite/name_hooks.h"
#include "fs_ext4lite/message.h"

#include <algorithm>

#include <fmt/format.h>

#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/xattr.h"

namespace xip::ext4lite {
namespace {

// ---- lookup -----------------------------------------------------------------------------------------------------------------------------

[[nodiscard]] result<vfs::inode*> inode_of_name(ext4_inode_info& dir, const dir_entry_view& entry) {
  ext4_sb_info& sb = sbi_of(dir);
  const ino_t number = entry.inode;
  if (!inode_number_valid(sb, number))
    return corrupted(dir, fmt::format("a name stands for inode {}, which is reserved or beyond the last", number.value()));
  if (number == dir.i_ino) return corrupted(dir, "a name stands for the directory itself");
  auto found = ext4_iget(sb, number);
  if (!found && found.error() == ESTALE)
    return corrupted(dir, fmt::format("a name stands for inode {}, which is not in use", number.value()));
  if (!found) return fail(found.error());
  const std::uint8_t type = file_type_of((*found)->i_mode.load(std::memory_order_relaxed));
  if (entry.file_type != ft_unknown && entry.file_type != type)
    return corrupted(
        dir, fmt::format("a name says that inode {} is of type {}, the inode that it is {}", number.value(), entry.file_type, type));
  return found->release();
}

result<vfs::inode*> ext4_lookup(vfs::inode& i, std::string_view name) {
  return without_exceptions([&]() -> result<vfs::inode*> {
    if (name.size() > name_len_max) return fail(ENAMETOOLONG);
    ext4_inode_info& dir = info_of(i);
    const auto where = XIP_TRY(dir_locate(dir, name));
    if (!where) return nullptr;
    return inode_of_name(dir, where->found.entry);
  });
}

// ---- making ------------------------------------------------------------------------------------------------------------------------

// What the contents of a new inode take.
struct needs {
  std::uint32_t credits = 0;
  std::uint32_t blocks = 0;
};

// One try: a new inode of MODE, FILL(handle, inode) and its name.
template <class Fill>
[[nodiscard]] result<vfs::inode*> make_once(ext4_inode_info& dir, std::string_view name, std::uint32_t mode, const needs& n, Fill& fill) {
  vfs::inode_ref failed;  // outlives the handle
  XIP_TRY(check_room(dir, name, n.blocks));
  const held_slots held = XIP_TRY(hold_slots({&dir}));
  handle h = XIP_TRY(journal_start(sbi_of(dir), credits_create(dir) + n.credits));
  ext4_inode_info& inode = *XIP_TRY(new_inode(h, dir, mode, name));
  result<> done = store_inherited_acls(h, inode);
  if (done) done = fill(h, inode);
  if (done) done = dir_add(h, dir, name, inode.i_ino, mode);
  if (!done) {
    failed = abandon(h, inode);
    return fail(done.error());
  }
  if (S_ISDIR(mode)) inc_dir_count(dir);
  done = whole_or_abort(sbi_of(dir), names_changed(h, dir));
  vfs::unlock_new_inode(inode);
  vfs::inode_ref made{&inode};
  XIP_TRY(done);
  XIP_TRY(finish(h, dir));
  return made.release();
}

template <class Fill>
[[nodiscard]] result<vfs::inode*> make(vfs::inode& i, std::string_view name, std::uint32_t mode, const needs& n, Fill fill) noexcept {
  ext4_inode_info& dir = info_of(i);
  if (name.size() > name_len_max) return fail(ENAMETOOLONG);
  return with_space(sbi_of(dir), [&] { return make_once(dir, name, mode, n, fill); });
}

result<vfs::inode*> ext4_create(vfs::inode& dir, std::string_view name, std::uint32_t mode) {
  return make(dir, name, mode, {}, [](handle&, ext4_inode_info&) -> result<> { return {}; });
}

result<vfs::inode*> ext4_mkdir(vfs::inode& dir, std::string_view name, std::uint32_t mode) {
  if (dir_link_max(info_of(dir))) return fail(EMLINK);
  return make(dir, name, mode, {.credits = credits_first_block, .blocks = 1},
              [&dir](handle& h, ext4_inode_info& inode) -> result<> { return dir_init(h, inode, dir.i_ino); });
}

result<vfs::inode*> ext4_mknod(vfs::inode& dir, std::string_view name, std::uint32_t mode, std::uint64_t rdev) {
  return make(dir, name, mode, {.credits = credits_inode}, [rdev](handle& h, ext4_inode_info& inode) -> result<> {
    inode.i_rdev = rdev;
    return mark_inode_dirty(h, inode);
  });
}

result<vfs::inode*> ext4_symlink(vfs::inode& dir, std::string_view name, std::string_view target) {
  if (target.empty()) return fail(ENOENT);
  if (target.size() >= dir.i_sb.s_blocksize) return fail(ENAMETOOLONG);
  const std::uint32_t blocks = target.size() < fast_symlink_bytes ? 0 : 1;
  return make(dir, name, S_IFLNK | 0777, {.credits = credits_first_block, .blocks = blocks},
              [target](handle& h, ext4_inode_info& inode) { return symlink_store(h, inode, target); });
}

// No name; on the orphan list from the start, so that a crash does not keep it.
result<vfs::inode*> ext4_tmpfile(vfs::inode& i, std::uint32_t mode) {
  ext4_inode_info& dir = info_of(i);
  return with_space(sbi_of(dir), [&]() -> result<vfs::inode*> {
    vfs::inode_ref made;
    handle h = XIP_TRY(journal_start(sbi_of(dir), credits_new_inode(dir) + credits_orphan));
    ext4_inode_info& inode = *XIP_TRY(new_inode(h, dir, mode, {}));
    inode.i_nlink.store(0, std::memory_order_relaxed);
    result<> done = orphan_add(h, inode);
    if (done) done = store_inherited_acls(h, inode);
    vfs::unlock_new_inode(inode);
    made = vfs::inode_ref{&inode};
    XIP_TRY(done);
    h.stop();
    return made.release();
  });
}

[[nodiscard]] bool is_dirsync(const ext4_inode_info& dir) noexcept {
  const std::uint32_t mount_flags = dir.i_sb.s_flags.load(std::memory_order_relaxed);
  const std::uint32_t disk_flags = dir.i_flags_disk.load(std::memory_order_relaxed);
  return (mount_flags & (vfs::sb_synchronous | vfs::sb_dirsync)) != 0 || (disk_flags & (sync_fl | dirsync_fl)) != 0;
}

}  // namespace

// ---- link counts -------------------------------------------------------------------------------------------------------------------

bool dir_link_max(const ext4_inode_info& dir) noexcept {
  if (dir.i_nlink.load(std::memory_order_relaxed) < link_max) return false;
  return !(sbi_of(dir).has_ro_compat(ro_compat_dir_nlink) && is_dx(dir));
}

void inc_dir_count(ext4_inode_info& dir) noexcept {
  const std::uint32_t count = dir.i_nlink.load(std::memory_order_relaxed) + 1;
  const bool uncounted = is_dx(dir) && (count > link_max || count == 2);
  dir.i_nlink.store(uncounted ? 1 : count, std::memory_order_relaxed);
}

void dec_dir_count(ext4_inode_info& dir) noexcept {
  const std::uint32_t count = dir.i_nlink.load(std::memory_order_relaxed);
  if (count > 2) dir.i_nlink.store(count - 1, std::memory_order_relaxed);
}

void drop_link(ext4_inode_info& inode) {
  const std::uint32_t count = inode.i_nlink.load(std::memory_order_relaxed);
  const bool expected = inode.is_dir() ? count == 1 || count == 2 : count != 0;
  if (!expected) ext4_msg(sbi_of(inode), vfs::log_level::warning, "inode {} loses a name and has {} links", inode.i_ino.value(), count);
  inode.i_nlink.store(inode.is_dir() || count == 0 ? 0 : count - 1, std::memory_order_relaxed);
}

result<held_slots> hold_slots(std::initializer_list<const ext4_inode_info*> inodes) {
  held_slots held;
  std::size_t count = 0;
  for (const ext4_inode_info* i : inodes)
    if (i != nullptr) held[count++] = XIP_TRY(inode_slot_of(sbi_of(*i), i->i_ino)).buffer;
  return held;
}

vfs::inode_ref abandon(handle& h, ext4_inode_info& inode) {
  inode.i_nlink.store(0, std::memory_order_relaxed);
  if (auto added = orphan_add(h, inode); !added)
    ext4_msg(sbi_of(inode), vfs::log_level::error, "inode {} has no name and is not on the orphan list: {}", inode.i_ino.value(),
             added.error().message());
  vfs::unlock_new_inode(inode);
  return vfs::inode_ref{&inode};
}

std::uint32_t credits_create(const ext4_inode_info& dir) noexcept {
  return credits_new_inode(dir) + credits_dir_add(dir) + credits_inode + credits_orphan;
}

result<> check_room(ext4_inode_info& dir, std::string_view name, std::uint32_t blocks) {
  constexpr std::uint64_t plenty = 2 * htree_max_levels_large + 2;
  const std::uint64_t free = allowance(sbi_of(dir));
  if (free >= plenty) [[likely]]
    return {};
  if (free >= blocks) blocks += XIP_TRY(dir_blocks_to_add(dir, name));
  return free >= blocks ? result<>{} : fail(ENOSPC);
}

result<> names_changed(handle& h, ext4_inode_info& dir) {
  vfs::inode_touch_mtime_ctime(dir);
  return mark_inode_dirty(h, dir);
}

result<> finish(handle& h, const ext4_inode_info& dir, const ext4_inode_info& other) { return finish(h, is_dirsync(other) ? other : dir); }

result<> finish(handle& h, const ext4_inode_info& dir) {
  ext4_sb_info& sb = h.sb();
  const std::uint64_t tid = h.tid();
  h.stop();
  if (!is_dirsync(dir)) return {};
  const result<> done = commit_tid(sb, tid);
  if (done || (done.error() != ENOMEM && done.error() != ENOSPC)) return done;
  ext4_msg(sb, vfs::log_level::error, "inode {}: its names have changed, and will be durable later: {}", dir.i_ino.value(),
           done.error().message());
  return {};
}

// ---- the tables --------------------------------------------------------------------------------------------------------------------

const vfs::inode_operations ext4_dir_inode_operations{
    .lookup = ext4_lookup,
    .create = ext4_create,
    .mkdir = ext4_mkdir,
    .mknod = ext4_mknod,
    .symlink = ext4_symlink,
    .tmpfile = ext4_tmpfile,
    .link = ext4_link,
    .unlink = ext4_unlink,
    .rmdir = ext4_rmdir,
    .rename = ext4_rename,
    .setattr = ext4_setattr,
    .getattr = ext4_getattr,
    .update_time = ext4_update_time,
    .fiemap = ext4_fiemap,
    .fileattr_get = ext4_fileattr_get,
    .fileattr_set = ext4_fileattr_set,
    .getxattr = ext4_getxattr,
    .setxattr = ext4_setxattr,
    .listxattr = ext4_listxattr,
    .get_inode_acl = ext4_get_inode_acl,
    .set_acl = ext4_set_acl,
};

const vfs::file_operations ext4_dir_operations{
    .llseek = dir_llseek,
    .iterate_shared = dir_iterate,
    .release = dir_release,
    .fsync = ext4_fsync,
};

const vfs::inode_operations ext4_symlink_inode_operations{
    .get_link = ext4_get_link,
    .setattr = ext4_setattr,
    .getattr = ext4_getattr,
    .update_time = ext4_update_time,
    .fileattr_get = ext4_fileattr_get,
    .fileattr_set = ext4_fileattr_set,
    .getxattr = ext4_getxattr,
    .setxattr = ext4_setxattr,
    .listxattr = ext4_listxattr,
};

const vfs::inode_operations ext4_special_inode_operations{
    .setattr = ext4_setattr,
    .getattr = ext4_getattr,
    .update_time = ext4_update_time,
    .fileattr_get = ext4_fileattr_get,
    .fileattr_set = ext4_fileattr_set,
    .getxattr = ext4_getxattr,
    .setxattr = ext4_setxattr,
    .listxattr = ext4_listxattr,
    .get_inode_acl = ext4_get_inode_acl,
    .set_acl = ext4_set_acl,
};

}  // namespace xip::ext4lite
