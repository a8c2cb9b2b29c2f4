// SEEK_DATA and SEEK_HOLE over a file's mapping. Linux: iomap_seek_data, iomap_seek_hole.
#include <algorithm>
#include <cerrno>
#include <new>

#include <unistd.h>

#include <xip/vfs/ops.h>
#include <xip/xip/mapping.h>

#include "xip/mapping_cursor.h"

namespace xip {
namespace {

// A map that names more blocks than there are names some of them again and again: with three levels of tables, four blocks can name billions.
[[nodiscard]] std::unexpected<error> endless_map(const vfs::inode& inode) noexcept {
  try {
    if (inode.i_sb.s_op->corrupted != nullptr) inode.i_sb.s_op->corrupted(inode, "its map has more blocks than the device");
  } catch (const std::bad_alloc&) {
    // It is not told, and refused all the same.
  }
  return fail(EUCLEAN);
}

}  // namespace

result<loff_t> xip_seek(vfs::inode& inode, loff_t offset, int whence, const xip_ops& ops) noexcept {
  inode.i_rwsem.assert_held_shared();
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  const loff_t size = i_size_read(inode);
  if (offset < 0 || offset >= size) return fail(ENXIO);
  const bool want_data = whence == SEEK_DATA;
  mapping_cursor cursor{inode, ops};
  std::uint64_t blocks_left = inode.i_sb.s_bdev.size() >> bits;
  for (loff_t pos = offset; pos < size;) {
    const auto rest = static_cast<std::size_t>(std::min<loff_t>(size - pos, loff_t{1} << 30));
    const extent_map em = XIP_TRY(cursor.at(lblk_of(pos, bits), blocks_touched(pos, rest, bits)));
    if ((em.type == extent_type::mapped) == want_data) return pos;
    if (em.type == extent_type::mapped) {
      if (em.len > blocks_left) return endless_map(inode);
      blocks_left -= em.len;
    }
    pos = pos_of(em.lblk, bits) + static_cast<loff_t>(std::uint64_t{em.len} << bits);
  }
  if (want_data) return fail(ENXIO);
  return size;
}

}  // namespace xip
