// Another name for an inode, and taking names away. Linux: ext4_link, ext4_unlink, ext4_rmdir (fs/ext4/namei.c).
//
// A name and the link that it counts go under one handle, and with the last link the inode goes onto the orphan list: its blocks are freed
// when nobody has it open any more, or, after a crash, by the next mount. What has to be read for that is read before the name changes, so that a
// call that fails has changed nothing.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> s_orphan_lock
#include <fmt/format.h>

#include "fs_ext4lite/name_hooks.h"

namespace xip::ext4lite {
namespace {

// NAME in DIR, which must stand for INODE.
[[nodiscard]] result<dir_entry_location> locate_link(ext4_inode_info& dir, std::string_view name, const vfs::inode& inode) {
  auto where = XIP_TRY(dir_locate(dir, name));
  if (!where || where->found.entry.inode != inode.i_ino) return fail(ENOENT);
  return std::move(*where);
}

[[nodiscard]] std::uint32_t credits_unlink(const ext4_inode_info& dir) noexcept {
  return credits_dir_remove(dir) + credits_inode + credits_inode + credits_orphan;
}

// NAME goes, and a link of VICTIM with it. The slots of both are held.
[[nodiscard]] result<> remove_link(handle& h, ext4_inode_info& dir, const dir_entry_location& where, ext4_inode_info& victim) {
  XIP_TRY(dir_erase(h, dir, where));
  if (victim.is_dir()) {
    dec_dir_count(dir);
    vfs::i_size_write(victim, 0);
  }
  XIP_TRY(names_changed(h, dir));
  vfs::inode_touch_ctime(victim);
  drop_link(victim);
  const bool unnamed = victim.i_nlink.load(std::memory_order_relaxed) == 0 && !on_orphan_list(victim) && !XIP_EXHIBIT(orphan_forgotten);
  return unnamed ? orphan_add(h, victim) : mark_inode_dirty(h, victim);  // either writes it
}

// DIR has another name for INODE.
[[nodiscard]] result<> count_link(handle& h, ext4_inode_info& dir, ext4_inode_info& inode) {
  vfs::inode_touch_ctime(inode);
  const bool had_none = inode.i_nlink.fetch_add(1, std::memory_order_relaxed) == 0;
  if (!XIP_EXHIBIT(link_not_counted)) XIP_TRY(mark_inode_dirty(h, inode));
  if (had_none) XIP_TRY(orphan_del(h, inode));  // a temporary file gets its first name
  return names_changed(h, dir);
}

}  // namespace

result<> ext4_link(vfs::inode& source, vfs::inode& i, std::string_view name) {
  ext4_inode_info& inode = info_of(source);
  ext4_inode_info& dir = info_of(i);
  if (name.size() > name_len_max) return fail(ENAMETOOLONG);
  if (source.i_nlink.load(std::memory_order_relaxed) >= link_max) return fail(EMLINK);
  return with_space(sbi_of(dir), [&]() -> result<> {
    XIP_TRY(check_room(dir, name, 0));
    const held_slots held = XIP_TRY(hold_slots({&dir, &inode}));
    handle h = XIP_TRY(journal_start(sbi_of(dir), credits_dir_add(dir) + credits_inode + credits_inode + credits_orphan));
    XIP_TRY(dir_add(h, dir, name, source.i_ino, source.i_mode.load(std::memory_order_relaxed)));
    XIP_TRY(whole_or_abort(sbi_of(dir), count_link(h, dir, inode)));
    return finish(h, dir);
  });
}

result<> ext4_unlink(vfs::inode& i, std::string_view name, vfs::inode& victim) {
  return without_exceptions([&]() -> result<> {
    ext4_inode_info& dir = info_of(i);
    const dir_entry_location where = XIP_TRY(locate_link(dir, name, victim));
    const held_slots held = XIP_TRY(hold_slots({&dir, &info_of(victim)}));
    handle h = XIP_TRY(journal_start(sbi_of(dir), credits_unlink(dir)));
    XIP_TRY(start_changing(h));
    XIP_TRY(whole_or_abort(sbi_of(dir), remove_link(h, dir, where, info_of(victim))));
    XIP_TRY(finish(h, dir));
    if (XIP_EXHIBIT(unlink_frees_open_file) && victim.is_reg() && victim.i_nlink.load(std::memory_order_relaxed) == 0) {
      exclusive_guard guard{victim.i_mapping.invalidate_lock};
      vfs::i_size_write(victim, 0);
      return truncate_blocks(info_of(victim));
    }
    return {};
  });
}

result<> ext4_rmdir(vfs::inode& i, std::string_view name, vfs::inode& victim) {
  return without_exceptions([&]() -> result<> {
    ext4_inode_info& dir = info_of(i);
    ext4_inode_info& gone = info_of(victim);
    const dir_entry_location where = XIP_TRY(locate_link(dir, name, victim));
    if (!XIP_TRY(dir_is_empty(gone))) return fail(ENOTEMPTY);
    const held_slots held = XIP_TRY(hold_slots({&dir, &gone}));
    handle h = XIP_TRY(journal_start(sbi_of(dir), credits_unlink(dir)));
    XIP_TRY(start_changing(h));
    XIP_TRY(whole_or_abort(sbi_of(dir), remove_link(h, dir, where, gone)));
    return finish(h, dir);
  });
}

}  // namespace xip::ext4lite
