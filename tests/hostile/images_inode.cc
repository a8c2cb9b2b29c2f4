// Inodes: what each field may not say. Symlinks, devices, attributes.
#include "hostile/images.h"

namespace xip::hostile {
namespace {

using namespace ext4lite;
using fuzz::structure_kind;
using inode_t = ext4_inode;

[[nodiscard]] std::uint64_t attribute_block(editor& e) { return e.block("dir/f0", structure_kind::xattr_block); }
// The value of the only attribute in its block.
[[nodiscard]] std::uint64_t list(editor& e, const char* path) {
  const std::uint64_t block = e.block(path, structure_kind::xattr_block);
  return block + e.image().load<ext4_xattr_entry>(block + sizeof(ext4_xattr_header)).e_value_offs;
}

// clang-format off
constexpr hostile_image images[] = {
    {"root-is-a-file", "no-journal-1k.0", [](editor& e) { e.inode("", [](inode_t& i) { i.i_mode = 0100644; }); }, {.refused = "cannot read the root directory"}},
    {"root-without-links", "no-journal-1k.0", [](editor& e) { e.inode("", [](inode_t& i) { i.i_links_count = 0; }); }, {.refused = "cannot read the root directory"}},
    {"root-checksum-wrong", "no-journal-1k.0", [](editor& e) { e.inode("", [](inode_t& i) { i.i_checksum_lo = static_cast<std::uint16_t>(i.i_checksum_lo ^ 1); }); e.leave_checksums(); }, {.refused = "cannot read the root directory"}},
    {"inode-checksum-wrong", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_checksum_lo = static_cast<std::uint16_t>(i.i_checksum_lo ^ 1); }); e.leave_checksums(); }, {.told = "inode 17: wrong checksum"}},
    {"all-inode-checksums-wrong", "no-journal-1k.0", [](editor& e) {
       for (std::uint64_t i = 0; i < 32; ++i) e.at<inode_t>(e.inode_table(0) + i * 256, [](inode_t& raw) { raw.i_checksum_lo = static_cast<std::uint16_t>(raw.i_checksum_lo + 1); });
       e.leave_checksums();
     }, {.refused = "cannot read the root directory"}},
    {"extra-isize-huge", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_extra_isize = 0xFFFC; }); }, {.told = "inode 17: extra size 65532"}},
    {"extra-isize-odd", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_extra_isize = 31; }); }, {.told = "inode 17: extra size 31"}},
    {"file-type-unknown", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_mode = 0xF1A4; }); }, {.told = "inode 17: mode 0170644 names no file type"}},
    {"size-negative", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_size_high = 0x80000000; }); }, {.told = "inode 17: size 0x8000000000000006"}},
    {"size-over-largest-file", "no-journal-4k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_size_high = 0x1000; i.i_size_lo = 1; }); }, {.told = "size 0x100000000001 is past"}},
    {"size-huge-but-possible", "no-journal-4k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_size_high = 0xFFF; i.i_size_lo = 0xFFFFE000; }); }, {.changed = "/hello /dir/hard"}},
    {"blocks-count-wrong", "no-journal-1k.0", [](editor& e) { e.inode("dir/f2", [](inode_t& i) { i.i_blocks_lo = 0; }); }, {.told = "counts 0 sectors and has", .level = vfs::log_level::warning}},
    {"blocks-count-huge", "no-journal-1k.0", [](editor& e) { e.inode("dir/f2", [](inode_t& i) { i.i_blocks_lo = 0xFFFFFFFF; i.i_blocks_high = 0xFFFF; i.i_flags = i.i_flags | huge_file_fl; }); }, {.told = "sectors and has", .level = vfs::log_level::warning}},
    {"links-0-but-named", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_links_count = 0; }); }, {.told = "a name stands for inode 17, which is not in use"}},
    {"links-too-few", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_links_count = 1; }); }, {.told_rw = "inode 17 loses a name and has 0 links", .level = vfs::log_level::warning}},
    {"links-65535", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_links_count = 65535; }); }},
    {"directory-links-1", "no-journal-1k.0", [](editor& e) { e.inode("dir", [](inode_t& i) { i.i_links_count = 1; }); }},
    {"inode-zeroed", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i = {}; }); }, {.told = "inode 17: wrong checksum"}},
    {"encrypted-without-feature", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_flags = i.i_flags | encrypt_fl; }); }, {.told = "inode 17 uses encryption", .level = vfs::log_level::warning}},
    {"inline-without-feature", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_flags = i.i_flags | inline_data_fl; }); }, {.told = "inode 17 uses inline data", .level = vfs::log_level::warning}},
    {"every-flag", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_flags = 0xFFFFFFFF; }); }, {.told = "inode 17 uses inline data", .level = vfs::log_level::warning}},
    {"flags-without-extents", "no-journal-1k.0", [](editor& e) { e.inode("dir/f2", [](inode_t& i) { i.i_flags = i.i_flags & ~extents_fl; }); }, {.told = "block map: 1 blocks from 127754, for block 0 of the file, are no file's", .changed = "/dir/f2"}},
    {"times-extreme", "no-journal-1k.0", [](editor& e) { e.inode("hello", [](inode_t& i) { i.i_atime = 0x80000000; i.i_ctime_extra = 0xFFFFFFFF; i.i_mtime = 0xFFFFFFFF; i.i_mtime_extra = 0xFFFFFFFF; }); }},
    {"device-with-extents", "no-journal-1k.0", [](editor& e) { e.inode("tty", [](inode_t& i) { i.i_flags = i.i_flags | extents_fl; }); }},
    {"fifo-with-a-tree", "no-journal-1k.0", [](editor& e) { e.inode("dir/f2", [](inode_t& i) { i.i_mode = 0010644; }); }, {.told = "a name says that inode"}},
    {"fast-symlink-empty", "no-journal-1k.0", [](editor& e) { e.inode("fast", [](inode_t& i) { i.i_size_lo = 0; }); }, {.told = "a symlink cannot have 0 bytes"}},
    {"fast-symlink-too-long", "no-journal-1k.0", [](editor& e) { e.inode("fast", [](inode_t& i) { i.i_size_lo = 61; }); }, {.told = "a symlink cannot have 61 bytes"}},
    {"fast-symlink-with-zero-byte", "no-journal-1k.0", [](editor& e) { e.inode("fast", [](inode_t& i) { i.i_size_lo = 20; }); }, {.told = "the symlink of 20 bytes has a zero byte at 6"}},
    {"slow-symlink-over-block", "no-journal-1k.0", [](editor& e) { e.inode("slow", [](inode_t& i) { i.i_size_lo = 5000; }); }, {.told = "a symlink cannot have 5000 bytes"}},
    {"slow-symlink-size-4G", "no-journal-1k.0", [](editor& e) { e.inode("slow", [](inode_t& i) { i.i_size_lo = 0xFFFFFFFF; }); }, {.told = "a symlink cannot have 4294967295 bytes"}},
    {"slow-symlink-without-block", "no-journal-1k.0", [](editor& e) { e.extent_header("slow", [](ext4_extent_header& h) { h.eh_entries = 0; }); }, {.told = "the symlink has no block"}},
    {"attribute-block-outside", "no-journal-1k.0", [](editor& e) { e.inode("dir/f0", [](inode_t& i) { i.i_file_acl_lo = 0x7FFFFFFF; }); }, {.told = "attribute block 2147483647 lies outside"}},
    {"attribute-block-is-inode-table", "no-journal-1k.0", [](editor& e) { const auto at = e.block_number(e.inode_table(0)); e.inode("dir/f0", [&](inode_t& i) { i.i_file_acl_lo = at; }); }, {.told = "attribute block 35 lies outside the file system or in its metadata"}},
    {"attribute-block-is-data", "no-journal-1k.0", [](editor& e) { const auto at = e.block_number(e.block("dir/f2", structure_kind::data)); e.inode("dir/f0", [&](inode_t& i) { i.i_file_acl_lo = at; }); }, {.told = "magic 0x43434343, not 0xea020000", .changed = "/dir/f2"}},
    {"attribute-magic-wrong", "no-journal-1k.0", [](editor& e) { e.at<ext4_xattr_header>(attribute_block(e), [](ext4_xattr_header& h) { h.h_magic = 0; }); }, {.told = "magic 0x0, not 0xea020000"}},
    {"attribute-refcount-0", "no-journal-1k.0", [](editor& e) { e.at<ext4_xattr_header>(attribute_block(e), [](ext4_xattr_header& h) { h.h_refcount = 0; }); }, {.told = "0 inodes share it"}},
    {"attribute-refcount-huge", "no-journal-1k.0", [](editor& e) { e.at<ext4_xattr_header>(attribute_block(e), [](ext4_xattr_header& h) { h.h_refcount = 0xFFFFFFFF; }); }, {.told = "4294967295 inodes share it"}},
    {"attribute-blocks-2", "no-journal-1k.0", [](editor& e) { e.at<ext4_xattr_header>(attribute_block(e), [](ext4_xattr_header& h) { h.h_blocks = 2; }); }, {.told = "it says 2 blocks, not 1"}},
    {"attribute-checksum-wrong", "no-journal-1k.0", [](editor& e) { e.at<ext4_xattr_header>(attribute_block(e), [](ext4_xattr_header& h) { h.h_checksum = h.h_checksum + 1; }); e.leave_checksums(); }, {.told = "attribute block 47: wrong checksum"}},
    {"attribute-value-outside", "no-journal-1k.0", [](editor& e) { e.at<ext4_xattr_entry>(attribute_block(e) + 32, [](ext4_xattr_entry& x) { x.e_value_offs = 0xFFF0; }); }, {.told = "inode 13: attribute block 47: a value of 600 bytes at offset 65520 does not lie"}},
    {"attribute-value-4G", "no-journal-1k.0", [](editor& e) { e.at<ext4_xattr_entry>(attribute_block(e) + 32, [](ext4_xattr_entry& x) { x.e_value_size = 0xFFFFFFFF; }); }, {.told = "inode 13: attribute block 47: a value of 4294967295 bytes"}},
    {"attribute-name-too-long", "no-journal-1k.0", [](editor& e) { e.at<ext4_xattr_entry>(attribute_block(e) + 32, [](ext4_xattr_entry& x) { x.e_name_len = 255; }); }, {.told = "inode 13: attribute block 47: the name at offset 32 has a zero byte"}},
    {"attribute-in-inode-outside", "no-journal-1k.0", [](editor& e) { e.at<ext4_xattr_entry>(e.inode_offset("hello") + 128 + 32 + 4, [](ext4_xattr_entry& x) { x.e_value_offs = 0xFFF0; }); }, {.told = "inode 17: attributes in the inode (block 39): a value of 5 bytes at offset 65520 does not lie"}},
    {"attribute-name-past-inode", "no-journal-1k.0", [](editor& e) { e.at<ext4_xattr_entry>(e.inode_offset("hello") + 128 + 32 + 4, [](ext4_xattr_entry& x) { x.e_name_len = 255; }); }, {.told = "inode 17: attributes in the inode (block 39): the name at offset 0 runs out of it"}},
    {"attribute-in-inode-without-end", "no-journal-1k.0", [](editor& e) {
       for (std::uint64_t at = 128 + 32 + 4; at < 256; at += 4) e.at<le32>(e.inode_offset("hello") + at, [at](le32& w) { w = at % 16 == 4 ? 0x0100 : 0; });
     }, {.told = "inode 17: attributes in the inode (block 39): the entry at offset 80 runs out of it"}},
    {"attribute-hash-wrong", "no-csum.0", [](editor& e) { e.at<ext4_xattr_entry>(attribute_block(e) + 32, [](ext4_xattr_entry& x) { x.e_hash = x.e_hash ^ 1; }); e.leave_checksums(); }, {.told = "the hash of \"large\" is"}},
    {"attribute-in-another-inode", "no-journal-1k.0", [](editor& e) { e.at<ext4_xattr_entry>(attribute_block(e) + 32, [](ext4_xattr_entry& x) { x.e_value_inum = 12; }); }, {.told = "is in inode 12, without the feature"}},
    {"attribute-block-counts-too-few", "shared-1k.0", [](editor& e) { e.at<ext4_xattr_header>(attribute_block(e), [](ext4_xattr_header& h) { h.h_refcount = 1; }); }, {.told_rw = "frees blocks 47 to 47, which are free already"}},
    {"attribute-block-counts-too-many", "shared-1k.0", [](editor& e) { e.at<ext4_xattr_header>(attribute_block(e), [](ext4_xattr_header& h) { h.h_refcount = 1024; }); }},
    {"list-version-unknown", "lists-1k.0", [](editor& e) { e.at<ext4_acl_header>(list(e, "dir/f1"), [](ext4_acl_header& h) { h.a_version = 2; }); }, {.told = "its own access control list has version 2, not 1"}},
    {"list-cut-off", "lists-1k.0", [](editor& e) { e.at<ext4_xattr_entry>(e.block("dir/f1", structure_kind::xattr_block) + 32, [](ext4_xattr_entry& x) { x.e_value_size = x.e_value_size - 6; }); }, {.told = "its own access control list ends within the entry at 332"}},
    {"list-of-nobody", "lists-1k.0", [](editor& e) { e.at<ext4_acl_entry_short>(list(e, "dir/sub") + 4, [](ext4_acl_entry_short& a) { a.e_tag = 0x20; }); }, {.told = "its default access control list has entries that are out of order"}},
};
// clang-format on

}  // namespace

std::span<const hostile_image> inode_images() noexcept { return images; }

}  // namespace xip::hostile
