// What the XIP core asks of ext4lite: where blocks lie, and the handle around a slice of a write.
//
// A slice in a hole fills blocks that are reserved in memory. When its bytes are in place they become written blocks of the file, in one change of the tree, which
// has never said that they were unwritten. What a slice finds allocated but unwritten it converts. With zero=alloc both are zeroed and written before the bytes
// come, as Linux does it, which touches each block twice.
//
// An extending write that needs more than one slice leaves written blocks past i_size between two of them. The handle of such a slice puts
// the inode on the orphan list: after a crash the next mount cuts the file back to the size on disk. The slice that ends the write sets the
// size and takes the inode off the list in one handle. A write of one slice needs no record: allocation, conversion and size are one
// transaction.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> dax_entry -> i_data_sem
//   i_rwsem -> jbd2_handle -> dax_entry -> s_orphan_lock
//   i_rwsem -> i_data_sem
#include <algorithm>
#include <utility>

#include <xip/fs_ext4lite/ext4lite.h>

#include "fs_ext4lite/file_hooks.h"
#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/zero.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] handle& handle_of(const write_slice& slice) noexcept { return *static_cast<handle*>(slice.handle); }

// Blocks before END are written ones now.
void blocks_written(ext4_inode_info& inode, lblk_t end) noexcept XIP_REQUIRES(inode.i_rwsem) {
  loff_t& so_far = inode.i_write->converted_end;
  so_far = std::max(so_far, pos_of(end, inode.i_sb.s_blocksize_bits));
}

// Planted bugs give the file blocks before there is anything in them, and come back to those later or never.
[[nodiscard]] bool allocates_unwritten() noexcept {
  return XIP_EXHIBIT(conversion_missing) || XIP_EXHIBIT(conversion_deferred) || XIP_EXHIBIT(conversion_unlocked) ||
         XIP_EXHIBIT(extension_not_cleaned_up) || XIP_EXHIBIT(slice_unlocked);
}

// zero=alloc. Where the tree has no block left, all of the unwritten extent is zeroed and converted: what the slice asked for has been zeroed by then.
[[nodiscard]] result<extent_map> get_zeroed_blocks(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t max) {
  auto em = map_zeroed_blocks(h, inode, lblk, max);
  if (!em.has_value() && em.error() == ENOSPC) {
    const extent_map there = XIP_TRY(map_blocks(nullptr, inode, lblk, max, 0));
    if (there.type != extent_type::unwritten) return fail(ENOSPC);
    XIP_TRY(zero_blocks(inode, there.pblk, there.len));
    em = map_blocks(&h, inode, lblk, there.len, map_convert);
  }
  if (em.has_value() && em->type != extent_type::mapped) return corrupted(inode, "a block that was zeroed for a write is not written");
  return em;
}

result<extent_map> ext4_get_blocks(vfs::inode& i, lblk_t lblk, std::uint32_t max, write_slice* slice) {
  return without_exceptions([&]() -> result<extent_map> {
    if (slice == nullptr) return map_blocks(nullptr, info_of(i), lblk, max, 0);
    ext4_inode_info& inode = info_of(i);
    inode.i_rwsem.assert_held();
    if (has_extents(inode) && sbi_of(inode).s_zero_at_alloc.load(std::memory_order_relaxed)) {
      const extent_map em = XIP_TRY(get_zeroed_blocks(handle_of(*slice), inode, lblk, max));
      blocks_written(inode, em.lblk + em.len);
      return em;
    }
    if (has_extents(inode) && !allocates_unwritten()) {
      const auto found = map_blocks(nullptr, inode, lblk, max, 0);
      if (!found.has_value() || found->type != extent_type::hole) return found;
      const auto kept = reserve_hole(handle_of(*slice), inode, lblk, found->len, inode.i_write->reserved);
      if (!kept.has_value() || kept->len != 0) return kept;
    }
    auto em = map_blocks(&handle_of(*slice), inode, lblk, max, map_create_unwritten);
    // A block map has no unwritten blocks: these are written, and not converted later.
    if (em.has_value() && em->type == extent_type::mapped && (em->flags & em_new) != 0) blocks_written(inode, em->lblk + em->len);
    return em;
  });
}

result<> ext4_start_slice(vfs::inode& i, write_slice& slice) {
  return without_exceptions([&]() -> result<> {
    ext4_inode_info& inode = info_of(i);
    inode.i_rwsem.assert_held();
    open_write& write = *inode.i_write;
    if (write.orphan_error) return fail(*write.orphan_error);
#if XIP_EXHIBITS
    if (XIP_EXHIBIT(one_mutex_for_all_files)) write.sparse.emplace(sbi_of(inode).xip_sparse_mutex);
#endif
    if (!inode.i_slot.buffer) inode.i_slot = XIP_TRY(inode_slot_of(sbi_of(i), i.i_ino));
    auto started = journal_start(sbi_of(i), credits_for_one_extent(inode) + credits_orphan + credits_inode);
    if (!started.has_value()) return fail(started.error());
    write.slice_handle.emplace(*std::move(started));
    write.slice_handle->put_off(inode, inode.i_slot);
    slice.handle = &*write.slice_handle;
    return {};
  });
}

// Blocks were made written behind the last one that i_size covers.
[[nodiscard]] bool leaves_blocks_past_size(const vfs::inode& i, const open_write& write) noexcept {
  const loff_t covered = (i_size_read(i) + i.i_sb.s_blocksize - 1) & -loff_t{i.i_sb.s_blocksize};
  return write.converted_end > covered;
}

void ext4_stop_slice(vfs::inode& i, write_slice& slice) noexcept {
  ext4_inode_info& inode = info_of(i);
  inode.i_rwsem.assert_held();
  open_write& write = *inode.i_write;
  unreserve_blocks(sbi_of(i), write.reserved);
  // Blocks, their conversion and the size: one change of the slot. The tree says so already, so it cannot be left out.
  static_cast<void>(without_exceptions([&] { return whole_or_abort(sbi_of(i), write_put_off(handle_of(slice))); }));
  const bool linked = i.i_nlink.load(std::memory_order_relaxed) != 0;  // else it is on the list already
  if (linked && !write.on_orphan_list && !XIP_EXHIBIT(extension_not_recorded) && leaves_blocks_past_size(i, write)) {
    const auto added = without_exceptions([&] { return orphan_add(handle_of(slice), inode); });
    write.on_orphan_list = added.has_value();
    if (!added.has_value()) write.orphan_error = added.error();
  }
  slice.handle = nullptr;
  write.slice_handle.reset();
#if XIP_EXHIBITS
  write.sparse.reset();
#endif
}

result<> ext4_convert_unwritten(vfs::inode& i, lblk_t lblk, std::uint32_t len, write_slice& slice) {
  return without_exceptions([&]() -> result<> {
    ext4_inode_info& inode = info_of(i);
    inode.i_rwsem.assert_held();
    if (reserved_blocks& reserved = inode.i_write->reserved; reserved.count != 0) {
      XIP_TRY(write_reserved(handle_of(slice), inode, lblk, len, reserved));
      blocks_written(inode, lblk + len);
      return {};
    }
    while (len != 0) {
      const extent_map em = XIP_TRY(map_blocks(&handle_of(slice), inode, lblk, len, map_convert));
      if (em.type != extent_type::mapped) return corrupted(i, "a block that was being written has become a hole");
      lblk += em.len;
      len -= em.len;
    }
    blocks_written(inode, lblk);
    return {};
  });
}

result<> ext4_set_size(vfs::inode& i, loff_t size, write_slice& slice) {
  return without_exceptions([&] {
    ext4_inode_info& inode = info_of(i);
    inode.i_rwsem.assert_held();
    return extend_size(handle_of(slice), inode, size);
  });
}

bool ext4_wait_for_space(vfs::inode& i, unsigned attempt) { return should_retry_alloc(sbi_of(i), attempt); }

}  // namespace

result<> extend_size(handle& h, ext4_inode_info& inode, loff_t size) {
  if (note_put_off(h, inode)) {
    inode.i_disksize.store(size, std::memory_order_relaxed);
  } else {
    shared_guard guard{inode.i_data_sem};
    XIP_TRY(store_disksize(h, inode, size));
  }
  i_size_write(inode, size);
  if (inode.i_write == nullptr || !inode.i_write->on_orphan_list) return {};
  XIP_TRY(orphan_del(h, inode));
  inode.i_write->on_orphan_list = false;
  return {};
}

const xip_ops ext4_xip_ops{
    .get_blocks = ext4_get_blocks,
    .get_fault_blocks = ext4_get_fault_blocks,
    .start_slice = ext4_start_slice,
    .stop_slice = ext4_stop_slice,
    .convert_unwritten = ext4_convert_unwritten,
    .set_size = ext4_set_size,
    .wait_for_space = ext4_wait_for_space,
};

}  // namespace xip::ext4lite

namespace xip {

const xip_ops& ext4lite_xip_ops() noexcept { return ext4lite::ext4_xip_ops; }

}  // namespace xip
