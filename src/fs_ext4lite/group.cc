#include "fs_ext4lite/group.h"

#include <algorithm>
#include <cstring>
#include <new>

#include <fmt/format.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/super.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] bool has_hi(const ext4_sb_info& sb) noexcept { return sb.s_desc_size >= desc_size_64; }

[[nodiscard]] pblk_t join(const ext4_sb_info& sb, le32 lo, const le32& hi) noexcept {
  return pblk_t{std::uint64_t{lo} | (has_hi(sb) ? std::uint64_t{hi} << 32 : 0)};
}

[[nodiscard]] bool is_power_of(std::uint32_t n, std::uint32_t base) noexcept {
  std::uint64_t power = base;
  while (power < n) power *= base;
  return power == n;
}

// Descriptor blocks that lie in G itself.
[[nodiscard]] std::uint32_t desc_blocks_in(const ext4_sb_info& sb, group_t g) noexcept {
  const bool meta_bg = sb.has_incompat(incompat_meta_bg);
  const std::uint32_t meta_group = g.value() / sb.s_desc_per_block;
  if (!meta_bg || meta_group < sb.s_first_meta_bg) {
    if (!has_super_backup(sb, g)) return 0;
    return meta_bg ? sb.s_first_meta_bg : sb.s_gdb_count;
  }
  const std::uint32_t within = g.value() % sb.s_desc_per_block;
  return within == 0 || within == 1 || within == sb.s_desc_per_block - 1 ? 1 : 0;
}

// A block (or COUNT of them) that the descriptor of G names must lie inside the file system, without flex_bg inside G.
[[nodiscard]] bool place_ok(const ext4_sb_info& sb, group_t g, pblk_t first, std::uint32_t count) noexcept {
  std::uint64_t low = sb.s_first_data_block.value();
  std::uint64_t high = sb.s_blocks_count;
  if (!sb.has_incompat(incompat_flex_bg)) {
    low = first_block_of(sb, g).value();
    high = low + blocks_in_group(sb, g);
  }
  return first.value() >= low && first.value() < high && high - first.value() >= count;
}

[[nodiscard]] result<> check_desc(const ext4_sb_info& sb, group_t g, std::string& message) {
  const ext4_group_desc& d = group_desc(sb, g);
  if (has_desc_checksums(sb)) {
    const std::uint16_t expected = group_desc_checksum(sb, g, desc_bytes(sb, g));
    if (d.bg_checksum != expected) {
      message = fmt::format("group {}: descriptor has checksum {:#06x}, expected {:#06x} (block {}); run e2fsck", g.value(),
                            d.bg_checksum.load(), expected, desc_buffer(sb, g).block().value());
      return fail(EUCLEAN);
    }
  }
  struct item {
    const char* name;
    pblk_t first;
    std::uint32_t count;
  };
  for (const item& i : {item{"block bitmap", block_bitmap_of(sb, g), 1}, item{"inode bitmap", inode_bitmap_of(sb, g), 1},
                        item{"inode table", inode_table_of(sb, g), sb.s_itb_per_group}}) {
    if (place_ok(sb, g, i.first, i.count)) continue;
    message = fmt::format("group {}: {} at block {} lies outside ({} blocks, file system has {}); run e2fsck", g.value(), i.name,
                          i.first.value(), i.count, sb.s_blocks_count);
    return fail(EUCLEAN);
  }
  return {};
}

// The Nth block of descriptors becomes the last that is held.
[[nodiscard]] result<> read_desc_block(ext4_sb_info& sb, std::uint32_t n, std::string& message) {
  constexpr std::uint32_t ahead = 64;
  const pblk_t at = desc_block_location(sb, n);
  if (at.value() >= sb.s_blocks_count) {
    message = fmt::format("group descriptors at block {} lie outside the file system of {} blocks", at.value(), sb.s_blocks_count);
    return fail(EUCLEAN);
  }
  if (n % ahead == 0 && !sb.has_incompat(incompat_meta_bg)) sb.s_buffers->read_ahead(at, std::min(ahead, sb.s_gdb_count - n));
  auto buffer = sb.s_buffers->read(at);
  if (!buffer) {
    message = fmt::format("cannot read the group descriptors in block {}: {}", at.value(), buffer.error().message());
    return fail(buffer.error());
  }
  sb.s_group_desc.push_back(std::move(*buffer));
  return {};
}

// Two things at one place would be written over each other.
[[nodiscard]] result<> merge_zones(ext4_sb_info& sb, std::string& message) {
  auto& zones = sb.s_system_zones;
  std::ranges::sort(zones, {}, &system_zone::first);
  std::size_t kept = 0;
  for (std::size_t i = 1; i < zones.size(); ++i) {
    const std::uint64_t end = zones[kept].first.value() + zones[kept].count;
    if (zones[i].first.value() < end) {
      message = fmt::format("two pieces of the file system's own metadata overlap at block {}; run e2fsck", zones[i].first.value());
      return fail(EUCLEAN);
    }
    if (zones[i].first.value() == end)
      zones[kept].count += zones[i].count;
    else
      zones[++kept] = zones[i];
  }
  zones.resize(zones.empty() ? 0 : kept + 1);
  zones.shrink_to_fit();
  return {};
}

// A group that says more than it can have is read, but nothing is taken from it or given back to it.
void check_counts(ext4_sb_info& sb, group_info& info, const desc_counts& counts) {
  const auto check = [&](std::uint32_t count, std::uint32_t most, const char* of_what) {
    if (count <= most) return;
    info.corrupt = true;
    (void)corrupted(sb, fmt::format("group {}: the descriptor says {} {} of {} (block {}); run e2fsck", info.number.value(), count, of_what,
                                    most, desc_buffer(sb, info.number).block().value()));
  };
  check(counts.free_blocks, blocks_in_group(sb, info.number), "free blocks");
  check(counts.free_inodes, sb.s_inodes_per_group, "free inodes");
  check(counts.used_dirs, sb.s_inodes_per_group, "directories");
  if (has_desc_checksums(sb)) check(counts.itable_unused, sb.s_inodes_per_group, "unused inodes");
}

[[nodiscard]] result<> add_group(ext4_sb_info& sb, group_t g, std::string& message) {
  XIP_TRY(check_desc(sb, g, message));
  std::pmr::polymorphic_allocator<> memory{&sb.memory()};
  sb.s_groups.push_back(nullptr);  // its place first: no memory for that loses no object
  auto* info = sb.s_groups.back() = memory.new_object<group_info>(g, sb.memory());
  const desc_counts counts = counts_of(sb, group_desc(sb, g));
  info->free_blocks = counts.free_blocks;
  info->free_inodes = counts.free_inodes;
  info->used_dirs = counts.used_dirs;
  check_counts(sb, *info, counts);
  sb.s_freeblocks += counts.free_blocks;
  sb.s_freeinodes += counts.free_inodes;
  sb.s_dirs += counts.used_dirs;
  if (const std::uint32_t base = base_meta_blocks(sb, g); base != 0) sb.s_system_zones.push_back({first_block_of(sb, g), base});
  sb.s_system_zones.push_back({block_bitmap_of(sb, g), 1});
  sb.s_system_zones.push_back({inode_bitmap_of(sb, g), 1});
  sb.s_system_zones.push_back({inode_table_of(sb, g), sb.s_itb_per_group});
  return {};
}

// A count in two halves; the upper one exists in 64-byte descriptors only.
void set_halves(const ext4_sb_info& sb, le16& lo, le16& hi, std::uint32_t n) noexcept {
  lo = static_cast<std::uint16_t>(n & 0xFFFF);
  if (has_hi(sb)) hi = static_cast<std::uint16_t>(n >> 16);
}

[[nodiscard]] result<> refresh_checksums(ext4_sb_info& sb, group_info& g) {
  ext4_group_desc& d = desc_within(sb, g.number, desc_buffer(sb, g.number).writable());
  if (sb.has_metadata_csum()) {
    const std::uint16_t flags = flags_of(sb, d);
    if ((flags & bg_block_uninit) == 0) {
      const dev::buffer_ref bits = XIP_TRY(sb.s_buffers->read(block_bitmap_of(sb, g.number)));
      set_halves(sb, d.bg_block_bitmap_csum_lo, d.bg_block_bitmap_csum_hi,
                 bitmap_checksum(sb, bits->data().first(sb.s_blocks_per_group / 8)));
    }
    if ((flags & bg_inode_uninit) == 0) {
      const dev::buffer_ref bits = XIP_TRY(sb.s_buffers->read(inode_bitmap_of(sb, g.number)));
      set_halves(sb, d.bg_inode_bitmap_csum_lo, d.bg_inode_bitmap_csum_hi,
                 bitmap_checksum(sb, bits->data().first(sb.s_inodes_per_group / 8)));
    }
  }
  d.bg_checksum = group_desc_checksum(sb, g.number, desc_bytes(sb, g.number));
  return {};
}

}  // namespace

// ---- geometry --------------------------------------------------------------------------------------------------------------------

bool has_super_backup(const ext4_sb_info& sb, group_t g) noexcept {
  const std::uint32_t n = g.value();
  if (n == 0) return true;
  if (sb.has_compat(compat_sparse_super2)) return n == sb.s_backup_bgs[0] || n == sb.s_backup_bgs[1];
  if (n == 1 || !sb.has_ro_compat(ro_compat_sparse_super)) return true;
  return n % 2 == 1 && (is_power_of(n, 3) || is_power_of(n, 5) || is_power_of(n, 7));
}

group_t group_of(const ext4_sb_info& sb, pblk_t block) noexcept {
  return group_t{static_cast<std::uint32_t>((block - sb.s_first_data_block) / sb.s_blocks_per_group)};
}

pblk_t first_block_of(const ext4_sb_info& sb, group_t g) noexcept {
  return sb.s_first_data_block + std::uint64_t{g.value()} * sb.s_blocks_per_group;
}

std::uint32_t blocks_in_group(const ext4_sb_info& sb, group_t g) noexcept {
  const std::uint64_t left = sb.s_blocks_count - first_block_of(sb, g).value();
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(left, sb.s_blocks_per_group));
}

pblk_t desc_block_location(const ext4_sb_info& sb, std::uint32_t n) noexcept {
  const std::uint64_t super_block = super_offset >> sb.s_blocksize_bits;
  if (!sb.has_incompat(incompat_meta_bg) || n < sb.s_first_meta_bg) return pblk_t{super_block + 1 + n};
  const group_t first{n * sb.s_desc_per_block};
  std::uint64_t skip = has_super_backup(sb, first) ? 1 : 0;
  if (n == 0 && super_block == 1 && sb.s_first_data_block.value() == 0) ++skip;  // the boot block comes before the super block
  return first_block_of(sb, first) + skip;
}

std::uint32_t base_meta_blocks(const ext4_sb_info& sb, group_t g) noexcept {
  const bool has_super = has_super_backup(sb, g);
  const bool old_layout = !sb.has_incompat(incompat_meta_bg) || g.value() / sb.s_desc_per_block < sb.s_first_meta_bg;
  const std::uint32_t reserved = old_layout && has_super ? sb.s_reserved_gdt_blocks : 0;
  return (has_super ? 1 : 0) + desc_blocks_in(sb, g) + reserved;
}

// ---- descriptors -----------------------------------------------------------------------------------------------------------------

dev::buffer& desc_buffer(const ext4_sb_info& sb, group_t g) noexcept { return *sb.s_group_desc[g.value() / sb.s_desc_per_block]; }

std::span<const std::byte> desc_bytes(const ext4_sb_info& sb, group_t g) noexcept {
  return desc_buffer(sb, g).data().subspan(std::size_t{g.value() % sb.s_desc_per_block} * sb.s_desc_size, sb.s_desc_size);
}

const ext4_group_desc& group_desc(const ext4_sb_info& sb, group_t g) noexcept {
  return *reinterpret_cast<const ext4_group_desc*>(desc_bytes(sb, g).data());
}

ext4_group_desc& desc_within(const ext4_sb_info& sb, group_t g, std::span<std::byte> block) noexcept {
  return *reinterpret_cast<ext4_group_desc*>(block.data() + std::size_t{g.value() % sb.s_desc_per_block} * sb.s_desc_size);
}

pblk_t block_bitmap_of(const ext4_sb_info& sb, group_t g) noexcept {
  const ext4_group_desc& d = group_desc(sb, g);
  return join(sb, d.bg_block_bitmap_lo, d.bg_block_bitmap_hi);
}
pblk_t inode_bitmap_of(const ext4_sb_info& sb, group_t g) noexcept {
  const ext4_group_desc& d = group_desc(sb, g);
  return join(sb, d.bg_inode_bitmap_lo, d.bg_inode_bitmap_hi);
}
pblk_t inode_table_of(const ext4_sb_info& sb, group_t g) noexcept {
  const ext4_group_desc& d = group_desc(sb, g);
  return join(sb, d.bg_inode_table_lo, d.bg_inode_table_hi);
}

bool has_desc_checksums(const ext4_sb_info& sb) noexcept { return sb.has_ro_compat(ro_compat_metadata_csum | ro_compat_gdt_csum); }

std::uint16_t flags_of(const ext4_sb_info& sb, const ext4_group_desc& d) noexcept {
  return has_desc_checksums(sb) ? d.bg_flags.load() : std::uint16_t{0};
}

desc_counts counts_of(const ext4_sb_info& sb, const ext4_group_desc& d) noexcept {
  const auto count = [&](const le16& lo, const le16& hi) { return std::uint32_t{lo} | (has_hi(sb) ? std::uint32_t{hi} << 16 : 0); };
  return {count(d.bg_free_blocks_count_lo, d.bg_free_blocks_count_hi), count(d.bg_free_inodes_count_lo, d.bg_free_inodes_count_hi),
          count(d.bg_used_dirs_count_lo, d.bg_used_dirs_count_hi), count(d.bg_itable_unused_lo, d.bg_itable_unused_hi)};
}

void set_free_blocks(const ext4_sb_info& sb, ext4_group_desc& d, std::uint32_t n) noexcept {
  set_halves(sb, d.bg_free_blocks_count_lo, d.bg_free_blocks_count_hi, n);
}
void set_free_inodes(const ext4_sb_info& sb, ext4_group_desc& d, std::uint32_t n) noexcept {
  set_halves(sb, d.bg_free_inodes_count_lo, d.bg_free_inodes_count_hi, n);
}
void set_used_dirs(const ext4_sb_info& sb, ext4_group_desc& d, std::uint32_t n) noexcept {
  set_halves(sb, d.bg_used_dirs_count_lo, d.bg_used_dirs_count_hi, n);
}
void set_itable_unused(const ext4_sb_info& sb, ext4_group_desc& d, std::uint32_t n) noexcept {
  set_halves(sb, d.bg_itable_unused_lo, d.bg_itable_unused_hi, n);
}

// ---- all groups --------------------------------------------------------------------------------------------------------------------

result<> load_groups(ext4_sb_info& sb, std::string& message) {
  // Group by group, and nothing taken beforehand: a sparse file can say that it has millions, and hold the descriptors of none.
  for (std::uint32_t n = 0; n < sb.s_groups_count; ++n) {
    if (n % sb.s_desc_per_block == 0) XIP_TRY(read_desc_block(sb, n / sb.s_desc_per_block, message));
    XIP_TRY(add_group(sb, group_t{n}, message));
  }
  return merge_zones(sb, message);
}

void mark_checksums_stale(ext4_sb_info& sb, group_info& g) noexcept {
  if (g.checksums_stale.load(std::memory_order_relaxed) || g.checksums_stale.exchange(true, std::memory_order_acq_rel)) return;
  g.next_stale = sb.s_stale_groups.load(std::memory_order_relaxed);
  while (!sb.s_stale_groups.compare_exchange_weak(g.next_stale, &g, std::memory_order_release, std::memory_order_relaxed)) {
  }
}

result<> finish_group_checksums(ext4_sb_info& sb) {
  if (!has_desc_checksums(sb)) {
    for (group_info* g = sb.s_stale_groups.exchange(nullptr, std::memory_order_acquire); g != nullptr; g = g->next_stale)
      g->checksums_stale.store(false, std::memory_order_relaxed);
    return {};
  }
  while (group_info* g = sb.s_stale_groups.load(std::memory_order_acquire)) {
    XIP_TRY(refresh_checksums(sb, *g));
    g->checksums_stale.store(false, std::memory_order_relaxed);
    sb.s_stale_groups.store(g->next_stale, std::memory_order_release);
  }
  return {};
}

}  // namespace xip::ext4lite
