// Bitmaps of block groups: verified on first use, made up where they were never written. Linux: fs/ext4/balloc.c, ialloc.c.
//
// Lock chains:
//   jbd2_handle -> s_bitmap_lock -> group_lock
//   jbd2_handle -> i_data_sem -> s_bitmap_lock
//   s_bitmap_lock -> buffer_cache
//   s_bitmap_lock -> faulty_rules
//   s_bitmap_lock -> dev_ring
#include <algorithm>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "fs_ext4lite/bitmap.h"
#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/group.h"

namespace xip::ext4lite {
namespace {

// Calls VISIT(first, count) for the blocks of G, counted from its start, that are the file system's own.
template <class Visit>
void for_each_system_run(const ext4_sb_info& sb, group_t g, Visit&& visit) {
  const std::uint64_t begin = first_block_of(sb, g).value();
  const std::uint64_t end = begin + blocks_in_group(sb, g);
  auto zone = std::ranges::upper_bound(sb.s_system_zones, pblk_t{begin}, {}, &system_zone::first);
  if (zone != sb.s_system_zones.begin()) --zone;
  for (; zone != sb.s_system_zones.end() && zone->first.value() < end; ++zone) {
    const std::uint64_t from = std::max(zone->first.value(), begin);
    const std::uint64_t to = std::min(zone->first.value() + zone->count, end);
    if (from < to) visit(static_cast<std::uint32_t>(from - begin), static_cast<std::uint32_t>(to - from));
  }
}

enum class bitmap_kind : std::uint8_t { blocks, inodes };

struct bitmap_facts {
  const char* name;
  pblk_t at;
  std::uint32_t bits;          // that have a meaning
  std::uint32_t summed_bytes;  // that the checksum covers
  std::uint32_t free;          // as the descriptor says
  bool written;                // the flags do not say that it was never written
  std::uint32_t checksum;      // as the descriptor says
};

[[nodiscard]] std::uint32_t join_halves(const ext4_sb_info& sb, const le16& lo, const le16& hi) noexcept {
  return std::uint32_t{lo} | (sb.s_desc_size >= desc_size_64 ? std::uint32_t{hi} << 16 : 0);
}

[[nodiscard]] bitmap_facts facts_of(ext4_sb_info& sb, group_t g, bitmap_kind kind) {
  spin_guard guard{sb.s_groups[g.value()]->lock};
  const ext4_group_desc& d = group_desc(sb, g);
  const desc_counts counts = counts_of(sb, d);
  const std::uint16_t flags = flags_of(sb, d);
  if (kind == bitmap_kind::blocks)
    return {.name = "block bitmap",
            .at = block_bitmap_of(sb, g),
            .bits = blocks_in_group(sb, g),
            .summed_bytes = sb.s_blocks_per_group / 8,
            .free = counts.free_blocks,
            .written = (flags & bg_block_uninit) == 0,
            .checksum = join_halves(sb, d.bg_block_bitmap_csum_lo, d.bg_block_bitmap_csum_hi)};
  return {.name = "inode bitmap",
          .at = inode_bitmap_of(sb, g),
          .bits = sb.s_inodes_per_group,
          .summed_bytes = sb.s_inodes_per_group / 8,
          .free = counts.free_inodes,
          .written = (flags & bg_inode_uninit) == 0,
          .checksum = join_halves(sb, d.bg_inode_bitmap_csum_lo, d.bg_inode_bitmap_csum_hi)};
}

// What is wrong with the bitmap just read; empty: nothing.
[[nodiscard]] std::string find_fault(const ext4_sb_info& sb, group_t g, bitmap_kind kind, const bitmap_facts& f,
                                     std::span<const std::byte> bits) {
  if (sb.has_metadata_csum()) {
    const std::uint32_t mask = sb.s_desc_size >= desc_size_64 ? ~0u : 0xFFFFu;
    if (const std::uint32_t found = bitmap_checksum(sb, bits.first(f.summed_bytes)) & mask; found != f.checksum)
      return fmt::format("group {}: {} in block {} has checksum {:#010x}, the descriptor says {:#010x}", g.value(), f.name, f.at.value(),
                         found, f.checksum);
  }
  const bitmap_view view{bits, f.bits};
  if (const std::uint32_t clear = view.count_clear(); clear != f.free)
    return fmt::format("group {}: {} in block {} has {} free, the descriptor says {}", g.value(), f.name, f.at.value(), clear, f.free);
  std::string fault;
  if (kind == bitmap_kind::blocks)
    for_each_system_run(sb, g, [&](std::uint32_t first, std::uint32_t count) {
      if (const std::uint32_t clear = view.next_clear(first); clear < first + count && fault.empty())
        fault = fmt::format("group {}: {} in block {} says that block {}, the file system's own, is free", g.value(), f.name, f.at.value(),
                            first_block_of(sb, g).value() + clear);
    });
  return fault;
}

// Of a bitmap that was never written: everything but the file system's own must be free. Group 0 always has inodes in use.
[[nodiscard]] std::string find_fault_unwritten(const ext4_sb_info& sb, group_t g, bitmap_kind kind, const bitmap_facts& f) {
  std::uint32_t expected = f.bits;
  if (kind == bitmap_kind::blocks) for_each_system_run(sb, g, [&](std::uint32_t, std::uint32_t count) { expected -= count; });
  if (kind == bitmap_kind::inodes && g.value() == 0) return "group 0: the flags say that no inode is in use";
  if (f.free == expected) return {};
  return fmt::format("group {}: the descriptor says {} free in the {}, which was never written and has {}", g.value(), f.free, f.name,
                     expected);
}

[[nodiscard]] std::atomic<bool>& checked_flag(group_info& info, bitmap_kind kind) noexcept {
  return kind == bitmap_kind::blocks ? info.block_bitmap_checked : info.inode_bitmap_checked;
}

// Reads and checks the bitmap. The reason why it cannot be used goes into FAULT.
[[nodiscard]] result<dev::buffer_ref> read_checked(ext4_sb_info& sb, group_t g, bitmap_kind kind, std::string& fault) {
  mutex_guard guard{sb.s_bitmap_lock};
  group_info& info = *sb.s_groups[g.value()];
  const bitmap_facts f = facts_of(sb, g, kind);
  if (checked_flag(info, kind).load(std::memory_order_acquire)) return sb.s_buffers->read(f.at);
  auto buffer = f.written ? sb.s_buffers->read(f.at) : sb.s_buffers->get(f.at);
  if (!buffer && buffer.error() != EIO) return buffer;
  if (!buffer)
    fault = fmt::format("group {}: {} in block {} cannot be read", g.value(), f.name, f.at.value());
  else
    fault = f.written ? find_fault(sb, g, kind, f, (*buffer)->data()) : find_fault_unwritten(sb, g, kind, f);
  if (!fault.empty()) {
    info.corrupt.store(true, std::memory_order_relaxed);
    return buffer ? fail(EUCLEAN) : fail(EIO);
  }
  if (!f.written) return buffer;
  (*buffer)->set_verified();
  checked_flag(info, kind).store(true, std::memory_order_release);
  return buffer;
}

[[nodiscard]] result<dev::buffer_ref> load_bitmap(ext4_sb_info& sb, group_t g, bitmap_kind kind) {
  group_info& info = *sb.s_groups[g.value()];
  if (checked_flag(info, kind).load(std::memory_order_acquire))
    return sb.s_buffers->read(kind == bitmap_kind::blocks ? block_bitmap_of(sb, g) : inode_bitmap_of(sb, g));
  if (info.corrupt.load(std::memory_order_relaxed)) return fail(EUCLEAN);
  std::string fault;
  auto buffer = read_checked(sb, g, kind, fault);
  if (!fault.empty()) (void)corrupted(sb, fault);
  return buffer;
}

}  // namespace

result<dev::buffer_ref> load_block_bitmap(ext4_sb_info& sb, group_t g) { return load_bitmap(sb, g, bitmap_kind::blocks); }
result<dev::buffer_ref> load_inode_bitmap(ext4_sb_info& sb, group_t g) { return load_bitmap(sb, g, bitmap_kind::inodes); }

void init_block_bitmap(const ext4_sb_info& sb, group_t g, std::span<std::byte> bits) noexcept {
  std::ranges::fill(bits, std::byte{0});
  for_each_system_run(sb, g, [&](std::uint32_t first, std::uint32_t count) { fill_bits(bits, first, count, true); });
  const std::uint32_t blocks = blocks_in_group(sb, g);
  fill_bits(bits, blocks, static_cast<std::uint32_t>(bits.size() * 8) - blocks, true);
}

void init_inode_bitmap(const ext4_sb_info& sb, std::span<std::byte> bits) noexcept {
  std::ranges::fill(bits, std::byte{0});
  fill_bits(bits, sb.s_inodes_per_group, static_cast<std::uint32_t>(bits.size() * 8) - sb.s_inodes_per_group, true);
}

}  // namespace xip::ext4lite
