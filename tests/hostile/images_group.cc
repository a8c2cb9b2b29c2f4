// Group descriptors and bitmaps.
#include <algorithm>

#include "hostile/images.h"

namespace xip::hostile {
namespace {

using namespace ext4lite;
using gd_t = ext4_group_desc;

void fill(editor& e, std::uint64_t offset, std::byte with) { std::ranges::fill(e.image().bytes(offset, e.geometry().block_size), with); }
[[nodiscard]] std::uint64_t bitmap(editor& e, std::uint32_t group, bool of_blocks) {
  const auto d = e.image().load<gd_t>(fuzz::offset_of_desc(e.geometry(), group));
  return std::uint64_t{of_blocks ? d.bg_block_bitmap_lo : d.bg_inode_bitmap_lo} * e.geometry().block_size;
}

// clang-format off
constexpr hostile_image images[] = {
    {"desc-checksum-wrong", "no-journal-1k.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_checksum = static_cast<std::uint16_t>(d.bg_checksum ^ 1); }); e.leave_checksums(); }, {.refused = "group 0: descriptor has checksum"}},
    {"block-bitmap-outside", "no-journal-1k.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_block_bitmap_lo = 0x7FFFFFFF; }); }, {.refused = "block bitmap at block 2147483647 lies outside"}},
    {"block-bitmap-is-super-block", "no-journal-1k.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_block_bitmap_lo = 1; }); }, {.refused = "metadata overlap at block 1"}},
    {"bitmaps-are-one-block", "no-journal-1k.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_inode_bitmap_lo = d.bg_block_bitmap_lo; }); }, {.refused = "metadata overlap at block 3"}},
    {"bitmaps-of-two-groups-swapped", "groups.0", [](editor& e) {
       gd_t zero{};
       e.group(0, [&](gd_t& d) { zero = d; });
       e.group(1, [&](gd_t& d) { std::swap(zero.bg_block_bitmap_lo, d.bg_block_bitmap_lo); });
       e.group(0, [&](gd_t& d) { d.bg_block_bitmap_lo = zero.bg_block_bitmap_lo; });
     }, {.told_rw = "group 0: block bitmap in block 4 has 256 free"}},
    {"inode-table-outside", "no-journal-1k.0", [](editor& e) { const auto last = static_cast<std::uint32_t>(e.geometry().blocks - 1); e.group(0, [&](gd_t& d) { d.bg_inode_table_lo = last; }); }, {.refused = "inode table at block 511 lies outside (8 blocks"}},
    {"inode-table-over-bitmap", "no-journal-1k.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_inode_table_lo = d.bg_inode_bitmap_lo; }); }, {.refused = "metadata overlap at block 19"}},
    {"inode-table-is-data", "no-journal-1k.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_inode_table_lo = d.bg_inode_table_lo + 100; }); }, {.refused = "cannot read the root directory"}},
    {"bitmap-of-another-group-without-flex", "groups-no-flex.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_block_bitmap_lo = d.bg_block_bitmap_lo + 256; }); }, {.refused = "block bitmap at block 259 lies outside"}},
    {"free-blocks-over-group", "no-journal-1k.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_free_blocks_count_lo = 65535; }); }, {.told = "group 0: the descriptor says 65535 free blocks of 511"}},
    {"free-blocks-wrong", "no-journal-1k.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_free_blocks_count_lo = 3; }); }, {.told_rw = "free, the descriptor says 3"}},
    {"free-inodes-over-group", "no-journal-1k.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_free_inodes_count_hi = 65535; }); }, {.told = "free inodes of 32"}},
    {"used-directories-huge", "groups.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_used_dirs_count_lo = 65535; d.bg_used_dirs_count_hi = 65535; }); }, {.told = "group 0: the descriptor says 4294967295 directories"}},
    {"unused-inodes-over-table", "no-journal-1k.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_itable_unused_lo = 65535; }); }, {.told = "65535 unused inodes of 32"}},
    {"used-group-called-unwritten", "no-journal-1k.0", [](editor& e) { e.group(0, [](gd_t& d) { d.bg_flags = bg_inode_uninit | bg_block_uninit; }); }, {.told_rw = "group 0: the flags say that no inode is in use"}},
    {"block-bitmap-checksum-wrong", "no-journal-1k.0", [](editor& e) { fill(e, bitmap(e, 0, true), std::byte{0x55}); e.leave_checksums(); }, {.told_rw = "group 0: block bitmap in block 3 has checksum"}},
    {"inode-bitmap-checksum-wrong", "no-journal-1k.0", [](editor& e) { fill(e, bitmap(e, 0, false), std::byte{0x55}); e.leave_checksums(); }, {.told_rw = "group 0: inode bitmap in block 19 has checksum"}},
    {"block-bitmap-all-free", "no-journal-1k.0", [](editor& e) { fill(e, bitmap(e, 0, true), std::byte{0}); }, {.told_rw = "block bitmap in block 3 has 511 free"}},
    {"block-bitmap-all-free-and-counted", "no-journal-1k.0", [](editor& e) { fill(e, bitmap(e, 0, true), std::byte{0}); e.group(0, [](gd_t& d) { d.bg_free_blocks_count_lo = 511; }); }, {.told_rw = "says that block 1, the file system's own, is free"}},
    {"block-bitmap-all-used", "no-journal-1k.0", [](editor& e) { fill(e, bitmap(e, 0, true), std::byte{0xFF}); }, {.told_rw = "block bitmap in block 3 has 0 free"}},
    {"inode-bitmap-all-free", "no-journal-1k.0", [](editor& e) { fill(e, bitmap(e, 0, false), std::byte{0}); }, {.told_rw = "inode bitmap in block 19 has 32 free"}},
    {"inode-bitmap-all-used", "no-journal-1k.0", [](editor& e) { fill(e, bitmap(e, 0, false), std::byte{0xFF}); }, {.told_rw = "inode bitmap in block 19 has 0 free"}},
    {"block-bitmap-all-free-no-csum", "no-csum.0", [](editor& e) { fill(e, bitmap(e, 0, true), std::byte{0}); }, {.told_rw = "has 511 free"}},
    {"desc-block-zeroed", "no-journal-1k.0", [](editor& e) { fill(e, fuzz::offset_of_desc(e.geometry(), 0), std::byte{0}); }, {.refused = "block bitmap at block 0 lies outside"}},
    {"desc-block-garbage-no-csum", "no-csum.0", [](editor& e) { fill(e, fuzz::offset_of_desc(e.geometry(), 0), std::byte{0xA5}); }, {.refused = "group 0: block bitmap at block 11936128518282651045 lies outside"}},
};
// clang-format on

}  // namespace

std::span<const hostile_image> group_images() noexcept { return images; }

}  // namespace xip::hostile
