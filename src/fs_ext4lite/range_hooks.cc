// fallocate and fiemap of regular files. Linux: ext4_fallocate (fs/ext4/extents.c), ext4_fiemap.
//
// Lock chains:
//   i_rwsem -> i_data_sem
#include <algorithm>

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>

#include "fs_ext4lite/allocate_range.h"
#include "fs_ext4lite/file_hooks.h"
#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/punch.h"
#include "fs_ext4lite/shift_range.h"

namespace xip::ext4lite {
namespace {

// ---- fallocate

[[nodiscard]] result<> preallocate(vfs::file& f, ext4_inode_info& inode, loff_t offset, loff_t length, bool keep_size)
    XIP_REQUIRES(inode.i_rwsem) {
  if (!has_extents(inode)) return fail(EOPNOTSUPP);
  const loff_t new_size = XIP_TRY(size_to_cover(inode, offset + length, keep_size));
  XIP_TRY(vfs::file_modified(f));
  return allocate_range(inode, offset, length, new_size, map_create_unwritten);
}

[[nodiscard]] result<> fallocate_locked(vfs::file& f, ext4_inode_info& inode, int mode, loff_t offset, loff_t length)
    XIP_REQUIRES(inode.i_rwsem) {
  const bool keep_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
  switch (mode & ~FALLOC_FL_KEEP_SIZE) {
    case 0:
      return preallocate(f, inode, offset, length, keep_size);
    case FALLOC_FL_PUNCH_HOLE:
      return ext4_punch_hole(f, inode, offset, length);
    case FALLOC_FL_ZERO_RANGE:
      return ext4_zero_range(f, inode, offset, length, keep_size);
    case FALLOC_FL_COLLAPSE_RANGE:
      return ext4_collapse_range(f, inode, offset, length);
    case FALLOC_FL_INSERT_RANGE:
      return ext4_insert_range(f, inode, offset, length);
    default:
      return fail(EOPNOTSUPP);
  }
}

// ---- fiemap

[[nodiscard]] std::uint32_t flags_of(const ext4_inode_info& inode, const extent_map& em) noexcept {
  std::uint32_t flags = 0;
  if (em.type == extent_type::unwritten) flags |= FIEMAP_EXTENT_UNWRITTEN;
  if (!has_extents(inode)) flags |= FIEMAP_EXTENT_MERGED;
  return flags;
}

// Behind the last block that can be asked for.
[[nodiscard]] std::uint64_t end_of_map(const ext4_inode_info& inode) noexcept {
  return has_extents(inode) ? extent_max_block : indirect_max_blocks(inode.i_sb.s_blocksize_bits);
}

// The next mapped or unwritten stretch from LBLK on; a hole when there is none before END.
[[nodiscard]] result<extent_map> next_stretch(ext4_inode_info& inode, std::uint64_t lblk, std::uint64_t end) {
  while (lblk < end) {
    const auto max = static_cast<std::uint32_t>(std::min<std::uint64_t>(end - lblk, extent_max_block));
    const extent_map em = XIP_TRY(map_blocks(nullptr, inode, lblk_t{static_cast<std::uint32_t>(lblk)}, max, 0));
    if (em.type != extent_type::hole) return em;
    lblk += em.len;
  }
  return extent_map{};
}

[[nodiscard]] result<> fiemap_locked(ext4_inode_info& inode, vfs::fiemap_context& ctx, std::uint64_t begin, std::uint64_t end) {
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  if (!has_extents(inode)) {
    shared_guard guard{inode.i_data_sem};
    XIP_TRY(indirect_check_tables(inode));
  }
  extent_map em = XIP_TRY(next_stretch(inode, begin, end));
  std::uint64_t blocks_left = sbi_of(inode).s_blocks_count;
  while (em.len != 0) {
    // Tables that are used again and again would fill memory with what few blocks say.
    if (em.len > blocks_left) return corrupted(inode, "its map has more blocks than the file system");
    blocks_left -= em.len;
    const std::uint64_t behind = std::uint64_t{em.lblk.value()} + em.len;
    const extent_map next = XIP_TRY(next_stretch(inode, behind, end_of_map(inode)));
    vfs::fiemap_extent out{pos_of(em.lblk, bits), bytes_of(em.pblk, bits), std::uint64_t{em.len} << bits, flags_of(inode, em)};
    if (next.len == 0) out.flags |= FIEMAP_EXTENT_LAST;
    if (!ctx.fill(ctx, out) || next.len == 0 || next.lblk.value() >= end) break;
    em = next;
    em.len = static_cast<std::uint32_t>(std::min<std::uint64_t>(em.len, end - em.lblk.value()));
  }
  return {};
}

}  // namespace

result<> ext4_fallocate(vfs::file& f, int mode, loff_t offset, loff_t length) {
  return without_exceptions([&]() -> result<> {
    ext4_inode_info& inode = info_of(*f.f_inode);
    {
      exclusive_guard guard{inode.i_rwsem};
      XIP_TRY(fallocate_locked(f, inode, mode, offset, length));
    }
    const bool sync = (f.f_iocb_flags.load(std::memory_order_relaxed) & vfs::iocb_dsync) != 0 || vfs::is_sync(inode);
    return sync ? vfs::vfs_fsync_range(f, offset, offset + length, false) : result<>{};
  });
}

result<> ext4_fiemap(vfs::inode& i, vfs::fiemap_context& ctx, loff_t start, std::uint64_t length) {
  return without_exceptions([&]() -> result<> {
    ext4_inode_info& inode = info_of(i);
    const unsigned bits = i.i_sb.s_blocksize_bits;
    if (length == 0) return {};
    const std::uint64_t last =
        static_cast<std::uint64_t>(start) + std::min<std::uint64_t>(length, UINT64_MAX - static_cast<std::uint64_t>(start)) - 1;
    shared_guard guard{i.i_rwsem};
    return fiemap_locked(inode, ctx, static_cast<std::uint64_t>(start) >> bits, std::min((last >> bits) + 1, end_of_map(inode)));
  });
}

}  // namespace xip::ext4lite
