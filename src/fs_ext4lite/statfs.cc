#include "fs_ext4lite/statfs.h"

#include <algorithm>
#include <cstring>

#include <linux/magic.h>

#include <xip/vfs/ops.h>

#include "fs_ext4lite/group.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] std::uint64_t journal_blocks(ext4_sb_info& sb, const ext4_super_block& es) {
  if (!sb.s_has_journal || es.s_journal_inum == 0) return 0;
  const auto slot = inode_slot_of(sb, ino_t{es.s_journal_inum});
  if (!slot) return 0;
  le32 low, high;
  const std::byte* inode = slot->buffer->data().data() + slot->offset;
  std::memcpy(&low, inode + offsetof(ext4_inode, i_size_lo), sizeof low);
  std::memcpy(&high, inode + offsetof(ext4_inode, i_size_high), sizeof high);
  const std::uint64_t blocks = (low | std::uint64_t{high} << 32) >> sb.s_blocksize_bits;
  return std::min(blocks, sb.s_blocks_count);
}

[[nodiscard]] std::uint64_t clamped(std::int64_t n) noexcept { return static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0)); }

}  // namespace

std::uint64_t overhead_of(ext4_sb_info& sb, const ext4_super_block& es) {
  if (es.s_overhead_clusters != 0) {
    const std::uint64_t blocks = std::uint64_t{es.s_overhead_clusters} << sb.s_cluster_bits;
    return std::min(blocks, sb.s_blocks_count);
  }
  std::uint64_t blocks = sb.s_first_data_block.value() + journal_blocks(sb, es);
  for (const system_zone& zone : sb.s_system_zones) blocks += zone.count;
  return std::min(blocks, sb.s_blocks_count);
}

result<> ext4_statfs(vfs::super_block& s, vfs::kstatfs& out) {
  const auto& sb = static_cast<const ext4_sb_info&>(s);
  out.type = EXT4_SUPER_MAGIC;
  out.bsize = out.frsize = sb.s_blocksize;
  out.blocks = sb.s_blocks_count - sb.s_overhead;
  out.bfree = clamped(sb.s_freeblocks.load(std::memory_order_relaxed)) << sb.s_cluster_bits;
  const std::uint64_t kept = sb.s_r_blocks_count + sb.s_resv_blocks;
  out.bavail = out.bfree > kept ? out.bfree - kept : 0;
  out.files = sb.s_inodes_count;
  out.ffree = clamped(sb.s_freeinodes.load(std::memory_order_relaxed));
  out.namelen = name_len_max;
  out.preallocates = sb.has_incompat(incompat_extents);
  std::uint64_t halves[2];
  static_assert(sizeof halves == sizeof sb.s_uuid);
  std::memcpy(halves, sb.s_uuid, sizeof halves);
  out.fsid = halves[0] ^ halves[1];
  return {};
}

}  // namespace xip::ext4lite
