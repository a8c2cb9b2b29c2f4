// The generic XIP core: reading, writing, zeroing and seeking through a file's mapping, on memory windows or by batched requests.
// Every function asserts the locks that it needs and takes none of a file system's.
#pragma once

#include <cstddef>
#include <optional>

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/vfs/file.h>
#include <xip/vfs/iov_iter.h>
#include <xip/vfs/ops.h>
#include <xip/xip/entry.h>
#include <xip/xip/xip_ops.h>

namespace xip {

// Reads at iocb.ki_pos into TO; i_rwsem held, shared at least. i_size is read again for every block. Holes and unwritten extents read as zeros
// and the device is not touched for them. Bytes read (0 at or past the end), ki_pos moved by as much; EFAULT, EIO (poison, a mapping
// that breaks its promises), or what get_blocks says, if no byte was read.
// S_DAX inodes go through windows; others through one batch of requests for the whole call.
[[nodiscard]] result<std::size_t> xip_mapping_read(vfs::kiocb& iocb, vfs::iov_iter& to, const xip_ops& ops) noexcept;

// The same bytes for SINK to take where they lie, in one call under the same lock; ki_pos moves. An error of any of them is the answer for all.
// EOPNOTSUPP: no S_DAX inode, or too many pieces.
[[nodiscard]] result<std::size_t> xip_mapping_splice(vfs::kiocb& iocb, std::size_t bytes, vfs::splice_sink& sink,
                                                     const xip_ops& ops) noexcept;

// Writes FROM at iocb.ki_pos; i_rwsem held exclusive. Counts only bytes that are in written extents and drained. i_size is raised by
// ops.set_size in the last slice's handle when the write ends in a slice; after a plain overwrite past i_size (preallocated, written blocks), and where
// the old end of the file has a tail to be zeroed (xip_has_tail), the caller raises it.
[[nodiscard]] result<std::size_t> xip_mapping_write(vfs::kiocb& iocb, vfs::iov_iter& from, const xip_ops& ops) noexcept;

// The two above as a table: what exhibit_place::core_replaced puts in their place.
struct xip_core {
  result<std::size_t> (*mapping_read)(vfs::kiocb& iocb, vfs::iov_iter& to, const xip_ops& ops) = nullptr;
  result<std::size_t> (*mapping_write)(vfs::kiocb& iocb, vfs::iov_iter& from, const xip_ops& ops) = nullptr;
};

// Zeros bytes [POS, POS + BYTES) where they are in written extents, drained; holes and unwritten extents are skipped. invalidate_lock exclusive, and i_rwsem
// exclusive unless nobody else has the inode any more (eviction).
[[nodiscard]] result<> xip_zero_range(vfs::inode& inode, loff_t pos, loff_t bytes, const xip_ops& ops) noexcept;

// Before i_size goes from OLD_SIZE to beyond the end of its block: zeros from OLD_SIZE to min(that end, NEW_POS) if the block is written, drained. i_rwsem
// exclusive, a handle open. ENTRY then has the lock of the block's page, which is in no page table, for the caller to drop when i_size has been raised: no store into what
// was zeroed comes between. EIO, ENOMEM, or what get_blocks says.
[[nodiscard]] result<> xip_zero_tail(vfs::inode& inode, loff_t old_size, loff_t new_pos, const xip_ops& ops,
                                     std::optional<entry_range_lock>& entry) noexcept;
// Whether there is something for xip_zero_tail to do.
[[nodiscard]] bool xip_has_tail(const vfs::inode& inode, loff_t size, loff_t new_pos) noexcept;

// SEEK_DATA and SEEK_HOLE at OFFSET; i_rwsem shared. Unwritten is a hole; a virtual hole lies at i_size. ENXIO.
[[nodiscard]] result<loff_t> xip_seek(vfs::inode& inode, loff_t offset, int whence, const xip_ops& ops) noexcept;

// Frees what the core hung on inode.i_mapping (entries). Called by a file system when it evicts the inode.
void xip_release_mapping(vfs::inode& inode) noexcept;

}  // namespace xip
