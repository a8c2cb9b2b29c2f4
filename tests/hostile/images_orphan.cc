// Orphan files: the inode, its blocks, and what stands in their slots. What is on the list that begins in the super block is among the super blocks.
#include "hostile/images.h"

namespace xip::hostile {
namespace {

using namespace ext4lite;
using es_t = ext4_super_block;
using tail_t = ext4_orphan_block_tail;

constexpr const char* used = "orphan-file-used-1k.0";
constexpr std::uint32_t number_of_file = 12;

template <class Change>
void file_inode(editor& e, Change&& change) {
  e.at<ext4_inode>(e.inode_offset(number_of_file), change);
}
[[nodiscard]] std::uint64_t first_extent(editor& e) {
  return editor::entry_offset(e.inode_offset(number_of_file) + offsetof(ext4_inode, i_block), 0);
}
template <class Change>
void tail(editor& e, std::size_t block, Change&& change) {
  e.at<tail_t>(e.orphan_block(block) + e.geometry().block_size - sizeof(tail_t), change);
}
[[nodiscard]] std::uint64_t slot(editor& e, std::size_t n) { return e.orphan_block(0) + n * sizeof(le32); }
void put(editor& e, std::size_t n, std::uint32_t number) { e.image().store(slot(e, n), le32{number}); }
// A file without a name.
[[nodiscard]] std::uint32_t first_orphan(editor& e) { return e.image().load<le32>(slot(e, 0)); }

// clang-format off
constexpr hostile_image images[] = {
    {"orphan-file-0", used, [](editor& e) { e.super([](es_t& es) { es.s_orphan_file_inum = 0; }); }, {.refused_rw = "the orphan file, inode 0: the number is reserved"}},
    {"orphan-file-is-root", used, [](editor& e) { e.super([](es_t& es) { es.s_orphan_file_inum = root_ino; }); }, {.refused_rw = "the orphan file, inode 2: the number is reserved"}},
    {"orphan-file-is-journal", used, [](editor& e) { e.super([](es_t& es) { es.s_orphan_file_inum = journal_ino; }); }, {.refused_rw = "the orphan file, inode 8: the number is reserved"}},
    {"orphan-file-beyond-last", used, [](editor& e) { e.super([](es_t& es) { es.s_orphan_file_inum = 0xFFFFFFFF; }); }, {.refused_rw = "the orphan file, inode 4294967295: the last inode is 64"}},
    {"orphan-file-free", used, [](editor& e) { e.super([](es_t& es) { es.s_orphan_file_inum = es.s_inodes_count; }); }, {.refused_rw = "the orphan file, inode 64: it is free in the inode bitmap"}},
    {"orphan-file-is-directory", used, [](editor& e) { const auto n = e.number("dir"); e.super([&](es_t& es) { es.s_orphan_file_inum = n; }); }, {.refused_rw = "it is no regular file"}},
    {"orphan-file-is-another", used, [](editor& e) { const auto n = e.number("dir/f3"); e.super([&](es_t& es) { es.s_orphan_file_inum = n; }); }, {.refused_rw = "has magic 0x44444444, expected 0x0b10ca04"}},
    {"orphan-file-unlinked", used, [](editor& e) { file_inode(e, [](ext4_inode& i) { i.i_links_count = 0; }); }, {.refused_rw = "the orphan file, inode 12: it cannot be read"}},
    {"orphan-file-inode-checksum", used, [](editor& e) { file_inode(e, [](ext4_inode& i) { i.i_checksum_lo = i.i_checksum_lo ^ 1; }); e.leave_checksums(); }, {.refused_rw = "the orphan file, inode 12: it cannot be read"}},
    {"orphan-file-huge", used, [](editor& e) { file_inode(e, [](ext4_inode& i) { i.i_size_lo = 1u << 30; }); }, {.refused_rw = "it has 1073741824 bytes, more than 8388608"}},
    {"orphan-file-longer-than-its-blocks", used, [](editor& e) { file_inode(e, [](ext4_inode& i) { i.i_size_lo = 8u << 20; }); }, {.refused_rw = "it has a hole at block 2"}},
    {"orphan-file-empty", used, [](editor& e) { file_inode(e, [](ext4_inode& i) { i.i_size_lo = 1023; }); }},
    {"orphan-file-hole", used, [](editor& e) { e.at<ext4_extent>(first_extent(e), [](ext4_extent& x) { x.ee_block = 1; x.ee_len = 1; }); }, {.refused_rw = "it has a hole at block 0"}},
    {"orphan-file-unwritten", used, [](editor& e) { e.at<ext4_extent>(first_extent(e), [](ext4_extent& x) { x.ee_len = 0x8002; }); }, {.refused_rw = "its block 0 was never written"}},
    {"orphan-file-at-super-block", used, [](editor& e) { e.at<ext4_extent>(first_extent(e), [](ext4_extent& x) { x.ee_start_lo = 1; }); }, {.refused_rw = "the orphan file, inode 12: it cannot be read"}},
    {"orphan-file-block-twice", used, [](editor& e) {
       const std::uint64_t first = first_extent(e);
       e.at<ext4_extent_header>(first - sizeof(ext4_extent_header), [](ext4_extent_header& h) { h.eh_entries = 2; });
       e.at<ext4_extent>(first, [](ext4_extent& x) { x.ee_len = 1; });
       auto twice = e.image().load<ext4_extent>(first);
       twice.ee_block = 1;
       e.image().store(first + sizeof twice, twice);
     }, {.refused_rw = "of the device twice"}},
    {"orphan-file-magic", used, [](editor& e) { tail(e, 1, [](tail_t& t) { t.ob_magic = 0x12345678; }); }, {.refused_rw = "of the device, has magic 0x12345678, expected 0x0b10ca04"}},
    {"orphan-file-checksum", used, [](editor& e) { tail(e, 1, [](tail_t& t) { t.ob_checksum = t.ob_checksum ^ 0x100; }); e.leave_checksums(); }, {.refused_rw = "of the device, has a wrong checksum"}},
    {"orphan-file-generation", used, [](editor& e) { file_inode(e, [](ext4_inode& i) { i.i_generation = 7; }); }},
    {"orphan-file-block-is-a-files-too", used, [](editor& e) { const auto at = e.block_number(e.orphan_block(0)); e.extent("dir/f3", 0, [&](ext4_extent& x) { x.ee_start_lo = at; x.ee_len = 1; }); }, {.told = "which are no file's"}},
    {"orphan-slot-reserved", used, [](editor& e) { put(e, 5, journal_ino); }, {.refused_rw = "the orphan file, in slot 5 of block"}},
    {"orphan-slot-beyond-last", used, [](editor& e) { put(e, 5, 65); }, {.refused_rw = "holds inode 65, but the last inode is 64"}},
    {"orphan-slot-is-the-file", used, [](editor& e) { put(e, 5, number_of_file); }, {.refused_rw = "holds inode 12, which is the orphan file"}},
    {"orphan-slot-free", used, [](editor& e) { put(e, 5, 64); }, {.told_rw = "holds inode 64, which is free: it is taken out", .level = vfs::log_level::notice}},
    {"orphan-slot-twice", used, [](editor& e) { put(e, 5, first_orphan(e)); }, {.refused_rw = "twice, in slot 0 of block"}},
    {"orphan-slots-all-garbage", used, [](editor& e) { for (std::size_t n = 0; n < 254; ++n) put(e, n, 0xFFFFFFFF); }, {.refused_rw = "the orphan file holds inode 4294967295 twice"}},
    {"orphan-slot-and-list", used, [](editor& e) { const auto n = first_orphan(e); e.super([&](es_t& es) { es.s_last_orphan = n; }); }, {.refused_rw = "and the orphan file, in slot 0 of block"}},
    {"orphan-slot-with-bad-tree", used, [](editor& e) { e.extent_header("holes", [](ext4_extent_header& h) { h.eh_depth = 9; }); }, {.refused_rw = "which cannot be cleaned up", .told = "depth 9"}},
    {"orphan-slot-with-bad-attributes", used, [](editor& e) {
       const auto at = e.block_number(e.block("dir/f3", fuzz::structure_kind::data));
       e.at<ext4_inode>(e.inode_offset(first_orphan(e)), [&](ext4_inode& i) { i.i_file_acl_lo = at; });
     }, {.refused_rw = "which cannot be cleaned up", .changed = "/dir/f3"}},
    {"orphan-slot-behind-a-cycle", used, [](editor& e) { const auto n = e.number("hello"); e.super([&](es_t& es) { es.s_last_orphan = n; }); e.inode("hello", [&](ext4_inode& i) { i.i_dtime = n; }); }, {.refused_rw = "the orphan list comes back to inode"}},
    {"orphan-file-has-a-name", used, [](editor& e) { e.entry("", "hello", [](ext4_dir_entry& d) { d.inode = number_of_file; }); }, {.told = "a name stands for inode 12"}},
    {"orphan-present-without-file", used, [](editor& e) { e.super([](es_t& es) { es.s_feature_compat = es.s_feature_compat & ~compat_orphan_file; }); }},
};
// clang-format on

}  // namespace

std::span<const hostile_image> orphan_images() noexcept { return images; }

}  // namespace xip::hostile
