// The flags of chattr. Linux: ext4_fileattr_get, ext4_fileattr_set, ext4_ioctl_setflags (fs/ext4/ioctl.c).
//
// Lock chains:
//   i_rwsem -> jbd2_handle
#include <xip/vfs/ops.h>

#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/file_hooks.h"
#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/migrate.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] std::uint32_t flags_for(const vfs::inode& i) noexcept { return i.is_dir() ? ~0u : i.is_reg() ? flags_regular : flags_other; }

// An immutable file that stays so keeps all the rest, too. Linux: ext4_ioctl_check_immutable.
[[nodiscard]] result<> check_immutable(std::uint32_t old, std::uint32_t wanted) noexcept {
  if ((old & wanted & immutable_fl) == 0 || old == wanted) return {};
  return fail(EPERM);
}

// What is not built: data in the journal, names that ignore case.
[[nodiscard]] result<> check_supported(std::uint32_t changed) noexcept {
  if ((changed & journal_data_fl) != 0 && !vfs::capable(CAP_SYS_RESOURCE)) return fail(EPERM);
  return (changed & (journal_data_fl | casefold_fl)) != 0 ? fail(EOPNOTSUPP) : result<>{};
}

// Links and devices have no blocks to keep in either way.
[[nodiscard]] result<> migrate(ext4_inode_info& inode) XIP_REQUIRES(inode.i_rwsem) {
  if (!has_tree(inode)) return fail(EINVAL);
  return has_extents(inode) ? ext4_ind_migrate(inode) : ext4_ext_migrate(inode);
}

// All but how the blocks are kept.
[[nodiscard]] result<> write_flags(ext4_inode_info& inode, std::uint32_t wanted) XIP_REQUIRES(inode.i_rwsem) {
  handle h = XIP_TRY(journal_start(sbi_of(inode), credits_inode));
  constexpr std::uint32_t settable = flags_modifiable & ~extents_fl;
  inode.i_flags_disk.store((inode.i_flags_disk.load(std::memory_order_relaxed) & ~settable) | (wanted & settable),
                           std::memory_order_relaxed);
  set_inode_flags(inode);
  vfs::inode_touch_ctime(inode);
  return mark_inode_dirty(h, inode);
}

// The other flags are set where the blocks cannot be kept as wanted, too. Linux: ext4_ioctl_setflags.
[[nodiscard]] result<> set_flags(ext4_inode_info& inode, std::uint32_t wanted) XIP_REQUIRES(inode.i_rwsem) {
  const std::uint32_t old = inode.i_flags_disk.load(std::memory_order_relaxed);
  if ((wanted & ~flags_visible) != 0) return fail(EOPNOTSUPP);
  wanted &= flags_modifiable;
  if ((wanted & ~flags_for(inode)) != 0) return fail(EOPNOTSUPP);
  XIP_TRY(check_immutable(old, wanted));
  const std::uint32_t changed = (old & flags_modifiable) ^ wanted;
  XIP_TRY(check_supported(changed));
  XIP_TRY(write_flags(inode, wanted));
  if ((changed & extents_fl) == 0) return {};
  exclusive_guard guard{inode.i_mapping.invalidate_lock};  // a fault knows which of the two it is at work on
  return migrate(inode);
}

[[nodiscard]] std::uint32_t visible_flags(const ext4_inode_info& inode) noexcept {
  const std::uint32_t flags = inode.i_flags_disk.load(std::memory_order_relaxed) & flags_visible;
  return inode.is_reg() ? flags & ~projinherit_fl : flags;
}

}  // namespace

result<> ext4_fileattr_get(vfs::inode& i, vfs::fileattr& fa) {
  const ext4_inode_info& inode = info_of(i);
  vfs::fileattr_fill_flags(fa, visible_flags(inode));
  fa.fsx_projid = inode.i_projid;
  return {};
}

// Which files are DAX files follows from the flag when they are brought into memory next, not at once.
result<> ext4_fileattr_set(vfs::inode& i, vfs::fileattr fa) {
  return without_exceptions([&]() -> result<> {
    ext4_inode_info& inode = info_of(i);
    exclusive_guard guard{inode.i_rwsem};
    vfs::fileattr old;
    XIP_TRY(ext4_fileattr_get(inode, old));
    XIP_TRY(vfs::fileattr_set_prepare(inode, old, fa));
    if (fa.fsx_projid != old.fsx_projid) return fail(EOPNOTSUPP);
    return set_flags(inode, fa.flags);
  });
}

}  // namespace xip::ext4lite
