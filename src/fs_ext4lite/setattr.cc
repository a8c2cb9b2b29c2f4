// Changing attributes; the size among them. Linux: ext4_setattr (fs/ext4/inode.c).
//
// The size moves before a block is freed, and i_disksize with it in one handle; a shrinking file is on the orphan list from that handle on.
// A crash before its commit finds the old file, but for zeros behind the new end in the block that holds it; later ones a file of the new size
// whose blocks past it are freed by the orphan pass.
//
// Those zeros come before the size moves, under its handle, for the medium may refuse them: then nothing has changed. Linux moves the size first,
// and does not tell its caller what became of them.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> xattr_sem
//   i_rwsem -> invalidate_lock -> jbd2_handle -> dax_entry -> i_data_sem
//   i_rwsem -> invalidate_lock -> jbd2_handle -> dax_entry -> i_lock
//   i_rwsem -> invalidate_lock -> jbd2_handle -> s_orphan_lock
//   i_rwsem -> invalidate_lock -> i_mmap_rwsem
#include <optional>

#include <xip/xip/mapped.h>
#include <xip/xip/mapping.h>

#include "fs_ext4lite/file_hooks.h"
#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/layouts.h"
#include "fs_ext4lite/name_hooks.h"
#include "fs_ext4lite/xattr.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] result<> check_new_size(const ext4_inode_info& inode, loff_t size) {
  if (!has_extents(inode) && size > indirect_max_bytes(inode.i_sb.s_blocksize_bits)) return fail(EFBIG);
  return {};
}

// The file is to end at SIZE, and becomes no longer. Zeros are the last thing that can fail: the inode's slot is in the transaction before. Who was
// put on the orphan list for nothing leaves it.
[[nodiscard]] result<> cut_at(handle& h, ext4_inode_info& inode, loff_t size) XIP_REQUIRES(inode.i_rwsem, inode.i_mapping.invalidate_lock) {
  const bool listed = on_orphan_list(inode);
  if (size < i_size_read(inode)) XIP_TRY(orphan_add(h, inode));
  if ((size & (loff_t{inode.i_sb.s_blocksize} - 1)) == 0) return {};
  XIP_TRY(mark_inode_dirty(h, inode));
  const auto zeroed = zero_behind(inode, size);
  if (!zeroed && !listed) XIP_TRY(orphan_del(h, inode));
  return zeroed;
}

// The handle in which the file gets its new size.
[[nodiscard]] result<> store_size(ext4_inode_info& inode, const vfs::iattr& attr)
    XIP_REQUIRES(inode.i_rwsem, inode.i_mapping.invalidate_lock) {
  const loff_t old = i_size_read(inode);
  handle h = XIP_TRY(journal_start(sbi_of(inode), credits_inode + credits_orphan));
  XIP_TRY(start_changing(h));  // a tail is changed before any metadata: of the old end or of the new one
  if (attr.ia_size <= old) XIP_TRY(cut_at(h, inode, attr.ia_size));
  std::optional<entry_range_lock> tail;
  XIP_TRY(xip_zero_tail(inode, old, attr.ia_size, ext4_xip_ops, tail));
  vfs::inode_touch_mtime_ctime(inode);
  vfs::setattr_copy(inode, attr);
  exclusive_guard guard{inode.i_data_sem};
  XIP_TRY(store_disksize(h, inode, attr.ia_size));
  i_size_write(inode, attr.ia_size);
  return {};
}

// The size moves before pages are unmapped, and pages are unmapped before a block is freed: a fault that comes before finds its page taken away again, and one
// that waits for invalidate_lock finds the end of the file.
[[nodiscard]] result<> change_size_locked(ext4_inode_info& inode, const vfs::iattr& attr)
    XIP_REQUIRES(inode.i_rwsem, inode.i_mapping.invalidate_lock) {
  const loff_t old = i_size_read(inode);
  if (XIP_EXHIBIT(truncate_frees_first) && attr.ia_size < old) {
    i_size_write(inode, attr.ia_size);
    const auto truncated = truncate_blocks(inode);
    i_size_write(inode, old);
    XIP_TRY(truncated);
  }
  XIP_TRY(store_size(inode, attr));
  if (attr.ia_size > old) return {};
  // Also with the size it had: what was preallocated past it goes. What fails here leaves it on the orphan list, and the next one goes on.
  const page_range behind = pages_behind(attr.ia_size);
  xip_drop_range(inode, behind.first, behind.last, true);
  return remove_blocks_past_size(inode);
}

[[nodiscard]] result<> change_size(ext4_inode_info& inode, const vfs::iattr& attr) XIP_REQUIRES(inode.i_rwsem) {
  XIP_TRY(check_new_size(inode, attr.ia_size));
  const bool shrinks = attr.ia_size < i_size_read(inode);
  const layouts_guard guard{inode, shrinks ? pages_behind(attr.ia_size) : no_pages};
  return change_size_locked(inode, attr);
}

// All but the size. A list says of owner, group and others what the mode says: both change under one handle.
[[nodiscard]] result<> change_attributes(ext4_inode_info& inode, const vfs::iattr& attr) XIP_REQUIRES(inode.i_rwsem) {
  vfs::acl_ref acl;
  if ((attr.ia_valid & vfs::attr_mode) != 0) acl = XIP_TRY(vfs::posix_acl_chmod(inode, attr.ia_mode));
  const held_slots held = XIP_TRY(hold_slots({&inode}));
  handle h = XIP_TRY(journal_start(sbi_of(inode), credits_inode + (acl ? credits_xattr_set : 0)));
  XIP_TRY(start_changing(h));
  const bool has_list = static_cast<bool>(acl);
  if (has_list) XIP_TRY(store_acl(h, inode, vfs::acl_type::access, std::move(acl)));
  vfs::setattr_copy(inode, attr);
  XIP_TRY(whole_or_abort(sbi_of(inode), mark_inode_dirty(h, inode)));
  return has_list ? finish_change(h, inode) : result<>{};
}

}  // namespace

result<> ext4_setattr(vfs::inode& i, vfs::iattr attr) {
  return with_space(sbi_of(i), [&]() -> result<> {
    ext4_inode_info& inode = info_of(i);
    exclusive_guard guard{inode.i_rwsem};
    vfs::iattr wanted = attr;
    XIP_TRY(vfs::setattr_prepare(inode, wanted));
    if (wanted.ia_valid == 0) return {};
    return (wanted.ia_valid & vfs::attr_size) != 0 ? change_size(inode, wanted) : change_attributes(inode, wanted);
  });
}

}  // namespace xip::ext4lite
