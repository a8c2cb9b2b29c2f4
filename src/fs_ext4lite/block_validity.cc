#include "fs_ext4lite/block_validity.h"

#include <algorithm>

#include <fmt/format.h>

#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/journal_inode.h"
#include "fs_ext4lite/orphan_file.h"

namespace xip::ext4lite {
bool data_blocks_valid(const ext4_sb_info& sb, pblk_t first, std::uint32_t count, ino_t owner) noexcept {
  if (first <= sb.s_first_data_block || first.value() >= sb.s_blocks_count || sb.s_blocks_count - first.value() < count) return false;
  auto zone = std::ranges::upper_bound(sb.s_system_zones, first, {}, &system_zone::first);
  if (zone != sb.s_system_zones.begin()) --zone;
  for (; zone != sb.s_system_zones.end() && zone->first < first + count; ++zone)
    if (zone->first + zone->count > first && (owner == ino_t{} || zone->owner != owner)) return false;
  return true;
}

void add_system_zone(ext4_sb_info& sb, const system_zone& zone) {
  if (!data_blocks_valid(sb, zone.first, static_cast<std::uint32_t>(zone.count))) return;
  auto& zones = sb.s_system_zones;
  zones.insert(std::ranges::upper_bound(zones, zone.first, {}, &system_zone::first), zone);
}

result<> protect_journal(ext4_sb_info& sb, const ext4_super_block& es, std::string& message) {
  const jbd2::log_map log = XIP_TRY(find_journal(sb, es, message));
  for (const jbd2::log_extent& e : log.extents()) {
    if (!data_blocks_valid(sb, e.start, e.count)) {
      message = fmt::format("the journal has blocks {}+{}, which are the file system's own; run e2fsck", e.start.value(), e.count);
      return fail(EUCLEAN);
    }
    add_system_zone(sb, {e.start, e.count, ino_t{es.s_journal_inum}});
  }
  return {};
}

void protect_orphan_file(ext4_sb_info& sb) {
  const ino_t number{sb.s_orphan_file_inum};
  if (number.value() < sb.s_first_ino || number.value() > sb.s_inodes_count) return;
  const auto inode = read_apart(sb, number, false);
  if (!inode || !(*inode)->is_reg()) return;
  const std::uint64_t blocks = static_cast<std::uint64_t>(i_size_read(**inode)) >> sb.s_blocksize_bits;
  const auto end = static_cast<std::uint32_t>(std::min<std::uint64_t>(blocks, orphan_file_bytes_max >> sb.s_blocksize_bits));
  for (std::uint32_t at = 0; at < end;) {
    const auto em = map_blocks(nullptr, **inode, lblk_t{at}, end - at, 0);
    if (!em) return;
    if (em->type != extent_type::hole) add_system_zone(sb, {em->pblk, em->len, number});
    at += em->len;
  }
}

}  // namespace xip::ext4lite
