// Directories, linear and hashed.
#include "hostile/images.h"

namespace xip::hostile {
namespace {

using namespace ext4lite;
using fuzz::structure_kind;
using entry_t = ext4_dir_entry;

[[nodiscard]] std::uint64_t root_of(editor& e) { return e.block("names", structure_kind::directory_index); }
[[nodiscard]] std::uint64_t room_of(editor& e) { return root_of(e) + sizeof(dx_root); }
[[nodiscard]] std::uint64_t dx_at(editor& e, std::uint32_t i) { return room_of(e) + i * sizeof(dx_entry); }

// clang-format off
constexpr hostile_image images[] = {
    {"rec-len-0", "no-journal-1k.0", [](editor& e) { e.entry("dir", "f1", [](entry_t& d) { d.rec_len = 0; }); }, {.told = "its length is below 12"}},
    {"rec-len-odd", "no-journal-1k.0", [](editor& e) { e.entry("dir", "f1", [](entry_t& d) { d.rec_len = 13; }); }, {.told = "its length is not a multiple of 4"}},
    {"rec-len-past-block", "no-journal-1k.0", [](editor& e) { e.entry("dir", "f1", [](entry_t& d) { d.rec_len = 0xFFFC; }); }, {.told = "it reaches past the end"}},
    {"rec-len-too-short", "no-journal-1k.0", [](editor& e) { e.entry("dir", "f1", [](entry_t& d) { d.rec_len = 8; }); }, {.told = "its length is below 12"}},
    {"name-over-rec-len", "no-journal-1k.0", [](editor& e) { e.entry("dir", "f1", [](entry_t& d) { d.name_len = 200; }); }, {.told = "its name is longer than the entry"}},
    {"name-empty", "no-journal-1k.0", [](editor& e) { e.entry("dir", "f1", [](entry_t& d) { d.name_len = 0; }); }, {.told = "it has no name"}},
    {"name-with-slash", "no-journal-1k.0", [](editor& e) { e.at<char>(e.dir_entry_offset("dir", "f1") + 8, [](char& c) { c = '/'; }); }, {.told = "its name has a slash"}},
    {"name-with-zero-byte", "no-journal-1k.0", [](editor& e) { e.at<char>(e.dir_entry_offset("dir", "f1") + 8, [](char& c) { c = '\0'; }); }, {.told = "its name has a zero byte"}},
    {"name-twice", "no-journal-1k.0", [](editor& e) { e.at<char>(e.dir_entry_offset("dir", "f1") + 9, [](char& c) { c = '2'; }); }, {.changed = "/dir/f1 /dir/f2"}},
    {"name-is-dots", "no-journal-1k.0", [](editor& e) { for (std::uint64_t i = 0; i < 2; ++i) e.at<char>(e.dir_entry_offset("dir", i == 0 ? "f1" : ".1") + 8 + i, [](char& c) { c = '.'; }); }, {.told = "its name is . or .."}},
    {"dot-missing", "no-journal-1k.0", [](editor& e) { e.entry("dir", ".", [](entry_t& d) { d.inode = 0; }); }, {.told = "does not begin with . and .."}},
    {"dot-is-another", "no-journal-1k.0", [](editor& e) { e.entry("dir", ".", [](entry_t& d) { d.inode = root_ino; }); }, {.told = "does not begin with . and .."}},
    {"dotdot-missing", "no-journal-1k.0", [](editor& e) { e.entry("dir", "..", [](entry_t& d) { d.name_len = 1; }); }, {.told = "does not begin with . and .."}},
    {"dotdot-is-a-file", "no-journal-1k.0", [](editor& e) { const auto f = e.number("hello"); e.entry("dir", "..", [&](entry_t& d) { d.inode = f; }); }},
    {"dotdot-beyond-last", "no-journal-1k.0", [](editor& e) { e.entry("dir/sub", "..", [](entry_t& d) { d.inode = 0xFFFFFFFF; }); }, {.told = "the entry at byte 12 is bad: there is no inode of that number"}},
    {"directory-cycle-to-root", "no-journal-1k.0", [](editor& e) { e.entry("dir/sub", "deep", [](entry_t& d) { d.inode = root_ino; }); }, {.told = "inode 18: it names directory inode 2, which has another name already"}},
    {"directory-cycle-to-itself", "no-journal-1k.0", [](editor& e) { const auto d = e.number("dir/sub"); e.entry("dir/sub", "deep", [&](entry_t& x) { x.inode = d; }); }, {.told = "inode 18: a name stands for the directory itself"}},
    {"directory-cycle-to-parent", "no-journal-1k.0", [](editor& e) { const auto d = e.number("dir"); e.entry("dir/sub", "deep", [&](entry_t& x) { x.inode = d; }); }, {.told = "inode 18: it names directory inode 12, which has another name already"}},
    {"directory-has-two-names", "no-journal-1k.0", [](editor& e) { const auto d = e.number("dir"); e.entry("", "empty", [&](entry_t& x) { x.inode = d; }); }, {.told = "it names directory inode 12, which has another name already"}},
    {"entry-beyond-last-inode", "no-journal-1k.0", [](editor& e) { e.entry("dir", "f1", [](entry_t& d) { d.inode = 0xFFFFFFFF; }); }, {.told = "there is no inode of that number"}},
    {"entry-to-reserved-inode", "no-journal-1k.0", [](editor& e) { e.entry("dir", "f1", [](entry_t& d) { d.inode = bad_ino; }); }, {.told = "a name stands for inode 1, which is reserved"}},
    {"entry-to-free-inode", "no-journal-1k.0", [](editor& e) { const auto last = e.geometry().inodes_per_group; e.entry("dir", "f1", [&](entry_t& d) { d.inode = last; }); }, {.told = "inode 32: wrong checksum", .changed = "/dir/f1"}},
    {"entry-type-wrong", "no-journal-1k.0", [](editor& e) { e.entry("dir", "f1", [](entry_t& d) { d.file_type = ft_dir; }); }, {.told = "a name says that inode 14 is of type 2"}},
    {"entry-type-unknown", "no-journal-1k.0", [](editor& e) { e.entry("dir", "f1", [](entry_t& d) { d.file_type = 0x7F; }); }, {.told = "a name says that inode 14 is of type 127"}},
    {"leaf-checksum-wrong", "no-journal-1k.0", [](editor& e) { e.entry("dir", "f1", [](entry_t& d) { d.inode = d.inode + 1; }); e.leave_checksums(); }, {.told = "wrong checksum of directory block 0"}},
    {"leaf-tail-missing", "no-journal-1k.0", [](editor& e) { e.at<ext4_dir_entry_tail>(e.block("dir", structure_kind::directory_leaf) + 1012, [](ext4_dir_entry_tail& t) { t.det_reserved_ft = 0; }); }, {.told = "wrong checksum of directory block 0"}},
    {"directory-size-0", "no-journal-1k.0", [](editor& e) { e.inode("dir", [](ext4_inode& i) { i.i_size_lo = 0; }); }, {.told = "a directory has no block"}},
    {"directory-size-odd", "no-journal-1k.0", [](editor& e) { e.inode("dir", [](ext4_inode& i) { i.i_size_lo = 1000; }); }, {.told = "a directory cannot have 1000 bytes"}},
    {"directory-size-4G", "no-journal-1k.0", [](editor& e) { e.inode("dir", [](ext4_inode& i) { i.i_size_lo = 0xFFFFFC00; }); }, {.told = "a directory cannot have 4294966272 bytes"}},
    {"directory-of-holes", "no-journal-1k.0", [](editor& e) { e.inode("dir", [](ext4_inode& i) { i.i_size_lo = 500 * 1024; }); }, {.told = "directory block 1 is a hole"}},
    {"directory-block-unwritten", "no-journal-1k.0", [](editor& e) { e.extent("dir", 0, [](ext4_extent& x) { x.ee_len = static_cast<std::uint16_t>(x.ee_len + 0x8000); }); }, {.told = "is unwritten"}},
    {"directory-without-blocks", "no-journal-1k.0", [](editor& e) { e.extent_header("dir", [](ext4_extent_header& h) { h.eh_entries = 0; }); }, {.told = "directory block 0 is a hole"}},
    {"index-flag-on-linear-directory", "no-journal-1k.0", [](editor& e) { e.inode("dir", [](ext4_inode& i) { i.i_flags = i.i_flags | index_fl; }); }, {.told = "the index does not begin with . and .."}},
    {"index-depth-200", "hashed.0", [](editor& e) { e.at<dx_root_info>(root_of(e) + 24, [](dx_root_info& i) { i.indirect_levels = 200; }); }, {.told = "the index is too deep"}},
    {"index-depth-3", "hashed.0", [](editor& e) { e.at<dx_root_info>(root_of(e) + 24, [](dx_root_info& i) { i.indirect_levels = 3; }); }, {.told = "the index is too deep"}},
    {"index-hash-unknown", "hashed.0", [](editor& e) { e.at<dx_root_info>(root_of(e) + 24, [](dx_root_info& i) { i.hash_version = 77; }); }, {.told = "the index has an unknown hash version"}},
    {"index-header-of-0-bytes", "hashed.0", [](editor& e) { e.at<dx_root_info>(root_of(e) + 24, [](dx_root_info& i) { i.info_length = 0; }); }, {.told = "wrong checksum of directory block 0"}},
    {"index-count-over-limit", "hashed.0", [](editor& e) { e.at<dx_countlimit>(room_of(e), [](dx_countlimit& c) { c.count = 0xFFFF; }); }, {.told = "wrong checksum of directory block 0"}},
    {"index-count-0", "hashed.0", [](editor& e) { e.at<dx_countlimit>(room_of(e), [](dx_countlimit& c) { c.count = 0; }); }, {.told = "the index has no entry"}},
    {"index-limit-wrong", "hashed.0", [](editor& e) { e.at<dx_countlimit>(room_of(e), [](dx_countlimit& c) { c.limit = 0xFFFF; }); }, {.told = "wrong checksum of directory block 0"}},
    {"index-limit-wrong-no-csum", "hashed-no-csum.0", [](editor& e) { e.at<dx_countlimit>(room_of(e), [](dx_countlimit& c) { c.limit = 0xFFFF; c.count = 0xFFFF; }); }, {.told = "the hashes of the index do not ascend"}},
    {"index-hashes-descend", "hashed.0", [](editor& e) { e.at<dx_entry>(dx_at(e, 1), [](dx_entry& x) { x.hash = 0xFFFFFFFE; }); }, {.told = "the hashes of the index do not ascend"}},
    {"index-block-outside", "hashed.0", [](editor& e) { e.at<dx_entry>(dx_at(e, 1), [](dx_entry& x) { x.block = 0x0FFFFFFF; }); }, {.told = "directory block 268435455 is named, but there are 7"}},
    {"index-leaf-is-the-root", "hashed.0", [](editor& e) { e.at<dx_entry>(dx_at(e, 1), [](dx_entry& x) { x.block = 0; }); }, {.told = "the index names directory block 0 as a leaf"}},
    {"index-leaves-are-one", "hashed.0", [](editor& e) { std::uint32_t one = 0; e.at<dx_entry>(dx_at(e, 1), [&](dx_entry& x) { one = x.block; }); e.at<dx_entry>(dx_at(e, 2), [&](dx_entry& x) { x.block = one; }); }, {.told = "holds names that the index looks for elsewhere"}},
    {"index-leaf-in-wrong-place", "hashed.0", [](editor& e) { std::uint32_t one = 0, two = 0; e.at<dx_entry>(dx_at(e, 1), [&](dx_entry& x) { one = x.block; }); e.at<dx_entry>(dx_at(e, 2), [&](dx_entry& x) { two = x.block; x.block = one; }); e.at<dx_entry>(dx_at(e, 1), [&](dx_entry& x) { x.block = two; }); }, {.told = "holds names that the index looks for elsewhere"}},
    {"index-node-is-itself", "hashed-deep.0", [](editor& e) {
       const auto node = e.block("names", structure_kind::directory_index, 1);
       std::uint32_t self = 0;
       e.at<dx_entry>(dx_at(e, 0), [&](dx_entry& x) { self = x.block; });
       e.at<dx_entry>(node + sizeof(dx_node), [&](dx_entry& x) { x.block = self; });
     }, {.told = "as a leaf, but that is part of the index"}},
    {"index-node-is-a-leaf", "hashed-deep.0", [](editor& e) {
       std::uint32_t leaf = 0;
       e.at<dx_entry>(e.block("names", structure_kind::directory_index, 1) + sizeof(dx_node), [&](dx_entry& x) { leaf = x.block; });
       e.at<dx_entry>(dx_at(e, 0), [&](dx_entry& x) { x.block = leaf; });
     }, {.told = "an index block was expected, not names"}},
    {"index-all-hashes-equal", "hashed-deep.0", [](editor& e) { for (std::uint32_t i = 1; i < 3; ++i) e.at<dx_entry>(e.block("names", structure_kind::directory_index, 1) + sizeof(dx_node) + i * sizeof(dx_entry), [](dx_entry& x) { x.hash = 3; }); }, {.told = "holds names that the index looks for elsewhere"}},
};
// clang-format on

}  // namespace

std::span<const hostile_image> directory_images() noexcept { return images; }

}  // namespace xip::hostile
