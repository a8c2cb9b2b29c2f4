// What the XIP core asks of a file system. The core never names one. Linux: struct iomap_ops (fs/iomap), the get_block of fs/dax.c in 4.x.
#pragma once

#include <cstddef>
#include <cstdint>

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/vfs/inode.h>
#include <xip/xip/extent_map.h>

namespace xip {

// A write goes slice by slice: at most this many pages and one mapping.
inline constexpr std::uint32_t slice_pages = 64;

// One slice of a write, on the core's stack. A slice holds the file system's open handle from start_slice to stop_slice.
struct write_slice {
  loff_t pos = 0;  // bytes, as are these
  std::size_t bytes = 0;
  void* handle = nullptr;  // the file system's
};

// The caller (the file system's hook) holds i_rwsem: shared for look-ups of a read, exclusive for all else; for a fault invalidate_lock instead.
struct xip_ops {
  // The mapping of LBLK: at most MAX blocks, beginning exactly at LBLK. SLICE null: look up, never allocate. SLICE given: a hole gets
  // blocks under the slice's handle. The answer is unwritten, whether the file system knows them so or keeps them apart until convert_unwritten, or mapped.
  // ENOSPC, EIO, EUCLEAN.
  result<extent_map> (*get_blocks)(vfs::inode& inode, lblk_t lblk, std::uint32_t max, write_slice* slice) = nullptr;
  // For a fault that stores, under HANDLE, which its hook has opened, and the lock of the entry: the mapping of LBLK as above, and written. What was a hole
  // or unwritten has been allocated, zeroed, drained and converted. ENOSPC: with nothing held, wait_for_space and fault again.
  result<extent_map> (*get_fault_blocks)(vfs::inode& inode, lblk_t lblk, std::uint32_t max, void* handle) = nullptr;
  // Opens the handle. Its credits must do for whatever one extent may need: its blocks, its place in the tree, a split when it is converted, the
  // inode. ENOSPC, EROFS, EIO.
  result<> (*start_slice)(vfs::inode& inode, write_slice& slice) = nullptr;
  void (*stop_slice)(vfs::inode& inode, write_slice& slice) noexcept = nullptr;
  // The bytes are in place and drained: LEN blocks from LBLK become written. What was not converted when the slice stops reads as zeros. ENOSPC only for what
  // was a hole, and is one still; EIO, EUCLEAN.
  result<> (*convert_unwritten)(vfs::inode& inode, lblk_t lblk, std::uint32_t len, write_slice& slice) = nullptr;
  // i_size and what the file system has on disk become SIZE, under the slice's handle. Called for the slice that ends an extending write.
  result<> (*set_size)(vfs::inode& inode, loff_t size, write_slice& slice) = nullptr;
  // After ENOSPC, with no handle open: waits until a commit may have freed blocks. False: there is nothing to wait for. ATTEMPT counts from 0.
  bool (*wait_for_space)(vfs::inode& inode, unsigned attempt) = nullptr;
};

}  // namespace xip
