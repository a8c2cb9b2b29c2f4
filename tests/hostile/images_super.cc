// Super blocks that make no sense, images that are cut off, features that are not there.
#include "hostile/images.h"

namespace xip::hostile {
namespace {

using namespace ext4lite;
using es_t = ext4_super_block;

// clang-format off
constexpr hostile_image images[] = {
    {"magic-wrong", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_magic = 0x1234; }); }, {.refused = "magic 0x1234, expected 0xef53"}},
    {"super-checksum-wrong", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_checksum = 1; }); e.leave_checksums(); }, {.refused = "has checksum 0x00000001, expected"}},
    {"checksum-type-unknown", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_checksum_type = 9; }); }, {.refused = "checksum type 9 is not known"}},
    {"log-block-size-31", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_log_block_size = 31; }); }, {.refused = "log_block_size 31 is too large"}},
    {"log-block-size-huge", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_log_block_size = 0xFFFFFFFF; }); }, {.refused = "log_block_size 4294967295 is too large"}},
    {"log-cluster-size-31", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_log_cluster_size = 31; }); }, {.refused = "log_cluster_size 31 differs"}},
    {"blocks-per-group-0", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_blocks_per_group = 0; es.s_clusters_per_group = 0; }); }, {.refused = "0 blocks and 0 clusters per group"}},
    {"blocks-per-group-huge", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_blocks_per_group = 0xFFFFFFF8; es.s_clusters_per_group = 0xFFFFFFF8; }); }, {.refused = "4294967288 blocks and 4294967288 clusters per group"}},
    {"inodes-per-group-0", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_inodes_per_group = 0; }); }, {.refused = "0 inodes per group"}},
    {"inodes-per-group-huge", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_inodes_per_group = 0xFFFFFFF8; }); }, {.refused = "4294967288 inodes per group"}},
    {"inodes-count-wrong", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_inodes_count = 0xFFFFFFFF; }); }, {.refused = "1 groups of 32 inodes, but 4294967295"}},
    {"inode-size-0", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_inode_size = 0; }); }, {.refused = "inode size 0 is not"}},
    {"inode-size-65535", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_inode_size = 65535; }); }, {.refused = "inode size 65535 is not"}},
    {"inode-size-over-block", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_inode_size = 2048; }); }, {.refused = "inode size 2048 is not"}},
    {"extra-isize-wanted-huge", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_want_extra_isize = 4000; }); }, {.refused = "extra inode size 4000"}},
    {"first-data-block-far", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_first_data_block = 0x7FFFFFFF; }); }, {.refused = "first_data_block is 2147483647"}},
    {"blocks-count-0", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_blocks_count_lo = 0; }); }, {.refused = "0 blocks hold no file system"}},
    {"blocks-count-of-64-bits", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_blocks_count_hi = 0xFFFFFFFF; }); }, {.refused = "2251799813160961 groups"}},
    {"desc-size-33", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_desc_size = 33; }); }, {.refused = "descriptor size 33"}},
    {"desc-size-0", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_desc_size = 0; }); }, {.refused = "descriptor size 0"}},
    {"desc-size-32768", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_desc_size = 32768; }); }, {.refused = "descriptor size 32768"}},
    {"reserved-gdt-blocks-huge", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_reserved_gdt_blocks = 60000; }); }, {.refused = "60000 reserved descriptor blocks"}},
    {"reserved-gdt-blocks-over-group", "groups.0", [](editor& e) { e.super([](es_t& es) { es.s_reserved_gdt_blocks = 250; }); }},
    {"first-inode-0", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_first_ino = 0; }); }, {.refused = "first inode 0 is reserved"}},
    {"first-inode-huge", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_first_ino = 0xFFFFFFFF; }); }, {.refused = "first inode 4294967295 lies beyond"}},
    {"first-meta-group-huge", "meta-bg.0", [](editor& e) { e.super([](es_t& es) { es.s_first_meta_bg = 0xFFFFFFFF; }); }, {.refused = "the first meta group is 4294967295"}},
    {"flex-groups-log-31", "groups.0", [](editor& e) { e.super([](es_t& es) { es.s_log_groups_per_flex = 31; }); }},
    {"flex-groups-log-255", "groups.0", [](editor& e) { e.super([](es_t& es) { es.s_log_groups_per_flex = 255; }); }, {.told = "log_groups_per_flex 255 (at most 31)", .level = vfs::log_level::warning}},
    {"hash-version-unknown", "hashed.0", [](editor& e) { e.super([](es_t& es) { es.s_def_hash_version = 99; }); }, {.told = "hash version 99 (at most 6)", .level = vfs::log_level::warning}},
    {"free-counts-wrong", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_free_blocks_count_lo = 0xFFFFFFFF; es.s_free_inodes_count = 0xFFFFFFFF; }); }, {.told = "free blocks 4294967295 (at most 512), free inodes 4294967295 (at most 32)", .level = vfs::log_level::warning}},
    {"reserved-blocks-over-all", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_r_blocks_count_lo = 0xFFFFFFFF; }); }, {.told = "reserved blocks 4294967295", .level = vfs::log_level::warning}},
    {"overhead-over-all", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_overhead_clusters = 0xFFFFFFFF; }); }, {.told = "overhead 4294967295", .level = vfs::log_level::warning}},
    {"errors-behaviour-unknown", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_errors = 77; }); }},
    {"revision-unknown", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_rev_level = 7; }); }, {.refused = "revision 7 of the format"}},
    {"incompat-feature-unknown", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_feature_incompat = es.s_feature_incompat | 0x80000000; }); }, {.refused = "incompat 0x80000000"}},
    {"ro-compat-feature-unknown", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_feature_ro_compat = es.s_feature_ro_compat | 0x80000000; }); }, {.refused_rw = "ro_compat 0x80000000"}},
    {"bigalloc", "bigalloc.0", [](editor&) {}, {.refused_rw = "cannot be written: bigalloc"}},
    {"inline-data", "inline-data.0", [](editor&) {}, {.refused = "unsupported incompatible features: inline_data"}},
    {"quota", "quota.0", [](editor&) {}, {.refused_rw = "cannot be written: quota"}},
    {"backup-groups-far", "sparse-super2.0", [](editor& e) { e.super([](es_t& es) { es.s_backup_bgs[0] = 0xFFFFFFFF; es.s_backup_bgs[1] = 0x80000000; }); }, {.told_rw = "the descriptor says 254 free in the block bitmap, which was never written and has 256"}},
    {"cut-in-half", "default-1k.0", [](editor& e) { e.image().resize(e.image().size() / 2); }, {.refused = "the device only 512: is it cut off?"}},
    {"cut-after-super-block", "default-1k.0", [](editor& e) { e.image().resize(2048); }, {.refused = "the device only 2: is it cut off?"}},
    {"cut-in-super-block", "default-1k.0", [](editor& e) { e.image().resize(1024 + 512); e.leave_checksums(); }, {.refused = "1536 bytes, too few"}},
    {"orphan-reserved", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_last_orphan = journal_ino; }); }, {.refused_rw = "the orphan list holds inode 8, which is reserved"}},
    {"orphan-beyond-last", "no-journal-1k.0", [](editor& e) { e.super([](es_t& es) { es.s_last_orphan = 0xFFFFFFFF; }); }, {.refused_rw = "inode 4294967295, but the last inode is 32"}},
    {"orphan-free", "no-journal-1k.0", [](editor& e) { e.super([&](es_t& es) { es.s_last_orphan = es.s_inodes_count; }); }, {.refused_rw = "inode 32, which is free in the inode bitmap"}},
    {"orphan-cycle", "no-journal-1k.0", [](editor& e) {
       const std::uint32_t one = e.number("dir/f0"), other = e.number("dir/f1");
       e.super([&](es_t& es) { es.s_last_orphan = one; });
       e.inode("dir/f0", [&](ext4_inode& i) { i.i_dtime = other; });
       e.inode("dir/f1", [&](ext4_inode& i) { i.i_dtime = one; });
     }, {.refused_rw = "the orphan list comes back to inode"}},
    {"orphan-with-bad-tree", "no-journal-1k.0", [](editor& e) {
       const std::uint32_t one = e.number("dir/f1");
       e.super([&](es_t& es) { es.s_last_orphan = one; });
       e.extent_header("dir/f1", [](ext4_extent_header& h) { h.eh_depth = 9; });
     }, {.refused_rw = "which cannot be cleaned up", .told = "depth 9, 2 of 4 entries"}},
};
// clang-format on

}  // namespace

std::span<const hostile_image> super_images() noexcept { return images; }

}  // namespace xip::hostile
