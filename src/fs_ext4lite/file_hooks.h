// Between file_hooks.cc, fault_hooks.cc, slice_ops.cc, range_hooks.cc, setattr.cc and truncate.cc.
#pragma once

#include <new>
#include <optional>
#include <utility>

#include <xip/base/result.h>
#include <xip/xip/xip_ops.h>

#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/without_exceptions.h"

namespace xip::ext4lite {

// ---- slice_ops.cc --------------------------------------------------------------------------------------------------------------------

// What the XIP core asks: both for DAX inodes and for others.
extern const xip_ops ext4_xip_ops;

// A write_iter under way, on its stack; slices keep their handle here.
struct open_write {
  std::optional<handle> slice_handle;
  reserved_blocks reserved;           // what the slice fills, if that was a hole
  loff_t converted_end = 0;           // blocks before it (bytes) have been made written by this write
  bool on_orphan_list = false;        // put there by this write
  std::optional<error> orphan_error;  // why it could not be
#if XIP_EXHIBITS
  std::optional<mutex_guard<mutex<xip_sparse_mutex_class>>> sparse;
#endif
};

// i_size and i_disksize become SIZE in H; what this write has put on the orphan list leaves it. i_rwsem exclusive. credits: credits_orphan
// + credits_inode.
[[nodiscard]] result<> extend_size(handle& h, ext4_inode_info& inode, loff_t size) XIP_REQUIRES(inode.i_rwsem);

// ---- file_hooks.cc --------------------------------------------------------------------------------------------------------------------

// Also a directory's fsync.
[[nodiscard]] result<> ext4_fsync(vfs::file& f, loff_t start, loff_t end, bool datasync);

// ---- fault_hooks.cc -------------------------------------------------------------------------------------------------------------------

// OF is the handle. What was a hole or unwritten is allocated, zeroed, drained and converted under it. For want of a block for the tree it fails: the whole extent
// is not zeroed for it, somebody may be filling another block of it.
[[nodiscard]] result<extent_map> ext4_get_fault_blocks(vfs::inode& i, lblk_t lblk, std::uint32_t max, void* of);
[[nodiscard]] result<> ext4_file_mmap(vfs::file& f, mm::vm_area_struct& area);

}  // namespace xip::ext4lite
