// Feature bits of a super block, and their names as mke2fs -O and dumpe2fs spell them.
// Source: Documentation/filesystems/ext4/super.rst of Linux, ext4(5).
#pragma once

#include <cstdint>
#include <string_view>

namespace xip::ext4lite {

// clang-format off
inline constexpr std::uint32_t compat_dir_prealloc = 0x0001;
inline constexpr std::uint32_t compat_imagic_inodes = 0x0002;
inline constexpr std::uint32_t compat_has_journal = 0x0004;
inline constexpr std::uint32_t compat_ext_attr = 0x0008;
inline constexpr std::uint32_t compat_resize_inode = 0x0010;
inline constexpr std::uint32_t compat_dir_index = 0x0020;
inline constexpr std::uint32_t compat_lazy_bg = 0x0040;
inline constexpr std::uint32_t compat_exclude_bitmap = 0x0100;
inline constexpr std::uint32_t compat_sparse_super2 = 0x0200;
inline constexpr std::uint32_t compat_fast_commit = 0x0400;
inline constexpr std::uint32_t compat_stable_inodes = 0x0800;
inline constexpr std::uint32_t compat_orphan_file = 0x1000;

inline constexpr std::uint32_t incompat_compression = 0x0001;
inline constexpr std::uint32_t incompat_filetype = 0x0002;
inline constexpr std::uint32_t incompat_recover = 0x0004;     // needs_recovery: the journal holds what is not home yet
inline constexpr std::uint32_t incompat_journal_dev = 0x0008;
inline constexpr std::uint32_t incompat_meta_bg = 0x0010;
inline constexpr std::uint32_t incompat_extents = 0x0040;
inline constexpr std::uint32_t incompat_64bit = 0x0080;
inline constexpr std::uint32_t incompat_mmp = 0x0100;
inline constexpr std::uint32_t incompat_flex_bg = 0x0200;
inline constexpr std::uint32_t incompat_ea_inode = 0x0400;
inline constexpr std::uint32_t incompat_dirdata = 0x1000;
inline constexpr std::uint32_t incompat_csum_seed = 0x2000;
inline constexpr std::uint32_t incompat_largedir = 0x4000;
inline constexpr std::uint32_t incompat_inline_data = 0x8000;
inline constexpr std::uint32_t incompat_encrypt = 0x10000;
inline constexpr std::uint32_t incompat_casefold = 0x20000;

inline constexpr std::uint32_t ro_compat_sparse_super = 0x0001;
inline constexpr std::uint32_t ro_compat_large_file = 0x0002;
inline constexpr std::uint32_t ro_compat_btree_dir = 0x0004;
inline constexpr std::uint32_t ro_compat_huge_file = 0x0008;
inline constexpr std::uint32_t ro_compat_gdt_csum = 0x0010;    // uninit_bg
inline constexpr std::uint32_t ro_compat_dir_nlink = 0x0020;
inline constexpr std::uint32_t ro_compat_extra_isize = 0x0040;
inline constexpr std::uint32_t ro_compat_has_snapshot = 0x0080;
inline constexpr std::uint32_t ro_compat_quota = 0x0100;
inline constexpr std::uint32_t ro_compat_bigalloc = 0x0200;
inline constexpr std::uint32_t ro_compat_metadata_csum = 0x0400;
inline constexpr std::uint32_t ro_compat_replica = 0x0800;
inline constexpr std::uint32_t ro_compat_readonly = 0x1000;
inline constexpr std::uint32_t ro_compat_project = 0x2000;
inline constexpr std::uint32_t ro_compat_shared_blocks = 0x4000;
inline constexpr std::uint32_t ro_compat_verity = 0x8000;
inline constexpr std::uint32_t ro_compat_orphan_present = 0x10000;

struct feature_name {
  std::uint32_t bit;
  std::string_view name;
};
inline constexpr feature_name compat_names[] = {
    {compat_dir_prealloc, "dir_prealloc"},     {compat_imagic_inodes, "imagic_inodes"}, {compat_has_journal, "has_journal"},
    {compat_ext_attr, "ext_attr"},             {compat_resize_inode, "resize_inode"},   {compat_dir_index, "dir_index"},
    {compat_lazy_bg, "lazy_bg"},               {compat_exclude_bitmap, "exclude_bitmap"}, {compat_sparse_super2, "sparse_super2"},
    {compat_fast_commit, "fast_commit"},       {compat_stable_inodes, "stable_inodes"}, {compat_orphan_file, "orphan_file"},
};
inline constexpr feature_name incompat_names[] = {
    {incompat_compression, "compression"},     {incompat_filetype, "filetype"},         {incompat_recover, "needs_recovery"},
    {incompat_journal_dev, "journal_dev"},     {incompat_meta_bg, "meta_bg"},           {incompat_extents, "extent"},
    {incompat_64bit, "64bit"},                 {incompat_mmp, "mmp"},                   {incompat_flex_bg, "flex_bg"},
    {incompat_ea_inode, "ea_inode"},           {incompat_dirdata, "dirdata"},           {incompat_csum_seed, "metadata_csum_seed"},
    {incompat_largedir, "large_dir"},          {incompat_inline_data, "inline_data"},   {incompat_encrypt, "encrypt"},
    {incompat_casefold, "casefold"},
};
inline constexpr feature_name ro_compat_names[] = {
    {ro_compat_sparse_super, "sparse_super"},  {ro_compat_large_file, "large_file"},    {ro_compat_btree_dir, "btree_dir"},
    {ro_compat_huge_file, "huge_file"},        {ro_compat_gdt_csum, "uninit_bg"},       {ro_compat_dir_nlink, "dir_nlink"},
    {ro_compat_extra_isize, "extra_isize"},    {ro_compat_has_snapshot, "has_snapshot"}, {ro_compat_quota, "quota"},
    {ro_compat_bigalloc, "bigalloc"},          {ro_compat_metadata_csum, "metadata_csum"}, {ro_compat_replica, "replica"},
    {ro_compat_readonly, "read-only"},         {ro_compat_project, "project"},          {ro_compat_shared_blocks, "shared_blocks"},
    {ro_compat_verity, "verity"},              {ro_compat_orphan_present, "orphan_present"},
};
// clang-format on

}  // namespace xip::ext4lite
