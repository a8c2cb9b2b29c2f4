// Extent trees and block maps.
#include "hostile/images.h"

namespace xip::hostile {
namespace {

using namespace ext4lite;
using fuzz::structure_kind;
using header_t = ext4_extent_header;

[[nodiscard]] std::uint32_t data_block(editor& e, const char* path) { return e.block_number(e.block(path, structure_kind::data)); }
[[nodiscard]] std::uint32_t table_block(editor& e) { return e.block_number(e.inode_table(0)); }
// A file with an index root, two levels of index on 1 KiB blocks.
constexpr const char* deep = "many";

// clang-format off
constexpr hostile_image images[] = {
    {"extent-magic-wrong", "no-journal-1k.0", [](editor& e) { e.extent_header("dir/f2", [](header_t& h) { h.eh_magic = 0; }); }, {.told = "extent root: magic 0x0"}},
    {"extent-depth-6", "no-journal-1k.0", [](editor& e) { e.extent_header("dir/f2", [](header_t& h) { h.eh_depth = 6; }); }, {.told = "depth 6, 1 of 4 entries"}},
    {"extent-entries-over-max", "no-journal-1k.0", [](editor& e) { e.extent_header("dir/f2", [](header_t& h) { h.eh_entries = 5; }); }, {.told = "5 of 4 entries"}},
    {"extent-max-over-inode", "no-journal-1k.0", [](editor& e) { e.extent_header("dir/f2", [](header_t& h) { h.eh_max = 65535; h.eh_entries = 65535; }); }, {.told = "65535 of 65535 entries"}},
    {"extent-past-the-end", "no-journal-1k.0", [](editor& e) { const auto last = static_cast<std::uint32_t>(e.geometry().blocks - 1); e.extent("dir/f2", 0, [&](ext4_extent& x) { x.ee_start_lo = last; }); }, {.told = "extent 0 lies on blocks 511 to 512, which are no file's"}},
    {"extent-at-48-bits", "no-journal-1k.0", [](editor& e) { e.extent("dir/f2", 0, [](ext4_extent& x) { x.ee_start_hi = 0xFFFF; }); }, {.told = "extent 0 lies on blocks 281470681743381"}},
    {"extent-in-inode-table", "no-journal-1k.0", [](editor& e) { const auto at = table_block(e); e.extent("dir/f2", 0, [&](ext4_extent& x) { x.ee_start_lo = at; }); }, {.told = "lies on blocks 35 to 36, which are no file's"}},
    {"extent-at-super-block", "no-journal-1k.0", [](editor& e) { e.extent("dir/f2", 0, [](ext4_extent& x) { x.ee_start_lo = 1; }); }, {.told = "lies on blocks 1 to 2, which are no file's"}},
    {"extent-of-no-blocks", "no-journal-1k.0", [](editor& e) { e.extent("dir/f2", 0, [](ext4_extent& x) { x.ee_len = 0; }); }, {.told = "extent 0 has 0 blocks"}},
    {"extent-wraps-around", "no-journal-1k.0", [](editor& e) { e.extent("dir/f2", 0, [](ext4_extent& x) { x.ee_block = 0xFFFFFFFF; x.ee_len = 2; }); }, {.told = "extent 0 has 2 blocks from 4294967295"}},
    {"extents-overlap-in-file", "no-journal-1k.0", [](editor& e) { e.at<ext4_extent>(editor::entry_offset(e.block("holes", structure_kind::extent_block), 1), [](ext4_extent& x) { x.ee_block = 0; }); }, {.told = "extent 0 has 1 blocks from 0, the next begins at 0"}},
    {"extents-overlap-by-length", "no-journal-1k.0", [](editor& e) { e.at<ext4_extent>(editor::entry_offset(e.block("holes", structure_kind::extent_block), 1), [](ext4_extent& x) { x.ee_len = 9; }); }, {.told = "extent 1 has 9 blocks from 2, the next begins at 4"}},
    {"extents-out-of-order", "no-journal-1k.0", [](editor& e) { e.at<ext4_extent>(editor::entry_offset(e.block("holes", structure_kind::extent_block), 2), [](ext4_extent& x) { x.ee_block = 500; }); }, {.told = "extent 2 has 1 blocks from 500, the next begins at 6"}},
    {"two-files-share-blocks", "no-journal-1k.0", [](editor& e) { const auto at = data_block(e, "dir/f3"); e.extent("dir/f2", 0, [&](ext4_extent& x) { x.ee_start_lo = at; }); }, {.told_rw = "which are free already", .changed = "/dir/f2"}},
    {"file-shares-blocks-of-directory", "no-journal-1k.0", [](editor& e) { const auto at = e.block_number(e.block("dir", structure_kind::directory_leaf)); e.extent("dir/f2", 0, [&](ext4_extent& x) { x.ee_start_lo = at; x.ee_len = 1; }); }, {.told_rw = "which are free already", .changed = "/dir/f2"}},
    {"extent-index-is-itself", "deep-extents-1k.0", [](editor& e) {
       const auto node = e.block(deep, structure_kind::extent_block);
       const auto self = e.block_number(node);
       e.at<ext4_extent_idx>(editor::entry_offset(node, 0), [&](ext4_extent_idx& x) { x.ei_leaf_lo = self; });
     }, {.told = "(depth 0): it says depth 1"}},
    {"extent-index-outside", "deep-extents-1k.0", [](editor& e) { e.index(deep, 0, [](ext4_extent_idx& x) { x.ei_leaf_hi = 0xFFFF; }); }, {.told = "index entry 0 points at block 281470681743741, which is no file's"}},
    {"extent-index-is-inode-table", "deep-extents-1k.0", [](editor& e) { const auto at = table_block(e); e.index(deep, 0, [&](ext4_extent_idx& x) { x.ei_leaf_lo = at; }); }, {.told = "index entry 0 points at block 35, which is no file's"}},
    {"extent-leaves-are-one", "deep-extents-1k.0", [](editor& e) {
       const auto node = e.block(deep, structure_kind::extent_block);
       std::uint32_t first = 0;
       e.at<ext4_extent_idx>(editor::entry_offset(node, 0), [&](ext4_extent_idx& x) { first = x.ei_leaf_lo; });
       e.at<ext4_extent_idx>(editor::entry_offset(node, 1), [&](ext4_extent_idx& x) { x.ei_leaf_lo = first; });
     }, {.told = "begins at 0, its parent says 166"}},
    {"extent-child-of-wrong-depth", "deep-extents-1k.0", [](editor& e) { e.at<header_t>(e.block(deep, structure_kind::extent_block), [](header_t& h) { h.eh_depth = 3; }); }, {.told = "(depth 1): it says depth 3"}},
    {"extent-block-checksum-wrong", "deep-extents-1k.0", [](editor& e) { e.at<header_t>(e.block(deep, structure_kind::extent_block, 1), [](header_t& h) { h.eh_generation = 7; }); e.leave_checksums(); }, {.told = "(depth 0): wrong checksum"}},
    {"extent-leaf-entries-over-block", "deep-extents-1k.0", [](editor& e) { e.at<header_t>(e.block(deep, structure_kind::extent_block, 1), [](header_t& h) { h.eh_max = 0xFFFF; h.eh_entries = 0xFFFF; }); e.leave_checksums(); }, {.told = "room for 65535 entries, expected 84"}},
    {"extent-leaf-before-its-index", "deep-extents-1k.0", [](editor& e) { e.at<ext4_extent>(editor::entry_offset(e.block(deep, structure_kind::extent_block, 2), 0), [](ext4_extent& x) { x.ee_block = 0; }); }, {.told = "begins at 0, its parent says 166"}},
    {"extent-index-empty", "deep-extents-1k.0", [](editor& e) { e.at<header_t>(e.block(deep, structure_kind::extent_block), [](header_t& h) { h.eh_entries = 0; }); }, {.told = "(depth 1): 0 entries, expected 1 to 84"}},
    // The same where blocks have 4 KiB, so that files can be mapped. The roots of their trees are sound: it is a fault that may come to the damage first.
    {"mapped-extent-in-inode-table", "no-journal-4k.0", [](editor& e) { const auto at = table_block(e); e.at<ext4_extent>(editor::entry_offset(e.block("holes", structure_kind::extent_block), 2), [&](ext4_extent& x) { x.ee_start_lo = at; }); }, {.told = "extent 2 lies on blocks 34 to 34, which are no file's"}},
    {"mapped-extents-overlap", "no-journal-4k.0", [](editor& e) { e.at<ext4_extent>(editor::entry_offset(e.block("holes", structure_kind::extent_block), 1), [](ext4_extent& x) { x.ee_block = 0; }); }, {.told = "extent 0 has 1 blocks from 0, the next begins at 0"}},
    {"mapped-extent-block-checksum-wrong", "extents-4k.0", [](editor& e) { e.at<header_t>(e.block(deep, structure_kind::extent_block), [](header_t& h) { h.eh_generation = 7; }); e.leave_checksums(); }, {.told = "(depth 0): wrong checksum"}},
    {"mapped-block-is-another-files", "no-journal-4k.0", [](editor& e) { const auto at = data_block(e, "dir/f3") + 1; e.at<ext4_extent>(editor::entry_offset(e.block("holes", structure_kind::extent_block), 1), [&](ext4_extent& x) { x.ee_start_lo = at; }); }, {.told_rw = "which are free already", .changed = "/holes"}},
    {"map-outside", "block-map.0", [](editor& e) { e.inode("hello", [](ext4_inode& i) { i.i_block[0] = 0x7FFFFFFF; }); }, {.told = "block map: 1 blocks from 2147483647, for block 0 of the file, are no file's"}},
    {"map-size-past", "block-map.0", [](editor& e) { e.inode("hello", [](ext4_inode& i) { i.i_size_high = 0x4000; }); }, {.told = "the end of the largest block map"}},
    {"map-of-an-orphan-size-past", "block-map.0", [](editor& e) {
       const auto n = e.number("hello");
       e.inode("hello", [](ext4_inode& i) { i.i_size_high = 0x4000, i.i_dtime = 0; });
       e.super([&](ext4_super_block& es) { es.s_last_orphan = n; });
     }, {.refused_rw = "which cannot be cleaned up"}},
    {"map-into-inode-table", "block-map.0", [](editor& e) { const auto at = table_block(e); e.inode("hello", [&](ext4_inode& i) { i.i_block[0] = at; }); }, {.told = "block map: 1 blocks from 35, for block 0 of the file, are no file's"}},
    {"map-indirect-is-itself", "block-map.0", [](editor& e) {
       std::uint32_t self = 0;
       e.inode(deep, [&](ext4_inode& i) { self = i.i_block[ind_block]; i.i_block[dind_block] = self; i.i_block[tind_block] = self; });
       e.at<le32>(std::uint64_t{self} * 1024, [&](le32& w) { w = self; });
     }, {.told = "is there twice", .changed = "/many"}},
    {"map-indirect-outside", "block-map.0", [](editor& e) { e.inode(deep, [](ext4_inode& i) { i.i_block[ind_block] = 0xFFFFFFFF; }); }, {.told = "block map: 1 blocks from 4294967295, for block 12"}},
    {"map-one-block-everywhere", "block-map.0", [](editor& e) { e.inode(deep, [](ext4_inode& i) { for (std::uint32_t n = 1; n < ndir_blocks; ++n) i.i_block[n] = i.i_block[0]; }); }, {.told_rw = "which are free already", .changed = "/many"}},
    {"map-one-table-everywhere", "block-map.0", [](editor& e) {
       std::uint32_t table[3] = {}, data = 0;
       const auto fill = [&](std::uint32_t block, std::uint32_t with) { for (std::uint64_t i = 0; i < 256; ++i) e.at<le32>(block * std::uint64_t{1024} + i * 4, [&](le32& w) { w = with; }); };
       e.inode(deep, [&](ext4_inode& i) { data = i.i_block[0]; for (std::uint32_t n = 0; n < 3; ++n) table[n] = i.i_block[2 + 2 * n]; i.i_block[tind_block] = table[0]; i.i_size_lo = 0xFFFFFFFF; i.i_size_high = 3; });
       fill(table[0], table[1]);
       fill(table[1], table[2]);
       fill(table[2], data);
     }, {.told = "its map has more blocks than", .changed = "/many"}},
};
// clang-format on

}  // namespace

std::span<const hostile_image> tree_images() noexcept { return images; }

}  // namespace xip::hostile
