// ext4 as it lies on disk: structs, sizes, numbers. No I/O here.
// Source: Documentation/filesystems/ext4 of Linux (globals, group_descr, inodes, directory, attributes, ifork, orphan).
#pragma once

#include <cstddef>
#include <cstdint>

#include <xip/base/endian.h>

#include "fs_ext4lite/features.h"

namespace xip::ext4lite {

// clang-format off
#define XIP_AT(TYPE, FIELD, OFFSET) static_assert(offsetof(TYPE, FIELD) == (OFFSET))

// ---- super block -----------------------------------------------------------------------------------------------------------------

inline constexpr std::uint64_t super_offset = 1024;   // bytes from the start of the device
inline constexpr std::uint32_t super_size = 1024;
inline constexpr std::uint16_t super_magic = 0xEF53;

struct ext4_super_block {
  le32 s_inodes_count;
  le32 s_blocks_count_lo;
  le32 s_r_blocks_count_lo;        // kept for the super-user
  le32 s_free_blocks_count_lo;
  le32 s_free_inodes_count;
  le32 s_first_data_block;         // 1 with 1 KiB blocks, else 0
  le32 s_log_block_size;           // block size is 1024 << this
  le32 s_log_cluster_size;
  le32 s_blocks_per_group;
  le32 s_clusters_per_group;
  le32 s_inodes_per_group;
  le32 s_mtime;                    // last mount, seconds since 1970
  le32 s_wtime;                    // last write
  le16 s_mnt_count;
  le16 s_max_mnt_count;
  le16 s_magic;
  le16 s_state;                    // valid_fs, error_fs, orphan_fs
  le16 s_errors;                   // what to do when errors are found
  le16 s_minor_rev_level;
  le32 s_lastcheck;
  le32 s_checkinterval;
  le32 s_creator_os;
  le32 s_rev_level;
  le16 s_def_resuid;
  le16 s_def_resgid;
  le32 s_first_ino;                // first number for ordinary files
  le16 s_inode_size;
  le16 s_block_group_nr;           // of this copy of the super block
  le32 s_feature_compat;
  le32 s_feature_incompat;
  le32 s_feature_ro_compat;
  std::uint8_t s_uuid[16];
  char s_volume_name[16];
  char s_last_mounted[64];
  le32 s_algorithm_usage_bitmap;
  std::uint8_t s_prealloc_blocks;
  std::uint8_t s_prealloc_dir_blocks;
  le16 s_reserved_gdt_blocks;      // descriptor blocks a group keeps for growth
  std::uint8_t s_journal_uuid[16];
  le32 s_journal_inum;
  le32 s_journal_dev;
  le32 s_last_orphan;              // head of the orphan list; each i_dtime is the next
  le32 s_hash_seed[4];
  std::uint8_t s_def_hash_version;
  std::uint8_t s_jnl_backup_type;
  le16 s_desc_size;                // with 64bit
  le32 s_default_mount_opts;
  le32 s_first_meta_bg;
  le32 s_mkfs_time;
  le32 s_jnl_blocks[17];           // copy of the journal inode's i_block and size
  le32 s_blocks_count_hi;
  le32 s_r_blocks_count_hi;
  le32 s_free_blocks_count_hi;
  le16 s_min_extra_isize;
  le16 s_want_extra_isize;
  le32 s_flags;                    // which hash of names
  le16 s_raid_stride;
  le16 s_mmp_interval;
  le64 s_mmp_block;
  le32 s_raid_stripe_width;
  std::uint8_t s_log_groups_per_flex;
  std::uint8_t s_checksum_type;
  std::uint8_t s_encryption_level;
  std::uint8_t s_reserved_pad;
  le64 s_kbytes_written;
  le32 s_snapshot_inum;
  le32 s_snapshot_id;
  le64 s_snapshot_r_blocks_count;
  le32 s_snapshot_list;
  le32 s_error_count;
  le32 s_first_error_time;
  le32 s_first_error_ino;
  le64 s_first_error_block;
  char s_first_error_func[32];
  le32 s_first_error_line;
  le32 s_last_error_time;
  le32 s_last_error_ino;
  le32 s_last_error_line;
  le64 s_last_error_block;
  char s_last_error_func[32];
  char s_mount_opts[64];
  le32 s_usr_quota_inum;
  le32 s_grp_quota_inum;
  le32 s_overhead_clusters;
  le32 s_backup_bgs[2];            // with sparse_super2
  std::uint8_t s_encrypt_algos[4];
  std::uint8_t s_encrypt_pw_salt[16];
  le32 s_lpf_ino;
  le32 s_prj_quota_inum;
  le32 s_checksum_seed;            // with metadata_csum_seed
  std::uint8_t s_wtime_hi;
  std::uint8_t s_mtime_hi;
  std::uint8_t s_mkfs_time_hi;
  std::uint8_t s_lastcheck_hi;
  std::uint8_t s_first_error_time_hi;
  std::uint8_t s_last_error_time_hi;
  std::uint8_t s_first_error_errcode;
  std::uint8_t s_last_error_errcode;
  le16 s_encoding;
  le16 s_encoding_flags;
  le32 s_orphan_file_inum;         // with orphan_file
  le32 s_reserved[94];
  le32 s_checksum;                 // crc32c of all before it
};
static_assert(sizeof(ext4_super_block) == super_size && alignof(ext4_super_block) == 1);
XIP_AT(ext4_super_block, s_inodes_count, 0x000);
XIP_AT(ext4_super_block, s_blocks_count_lo, 0x004);
XIP_AT(ext4_super_block, s_r_blocks_count_lo, 0x008);
XIP_AT(ext4_super_block, s_free_blocks_count_lo, 0x00C);
XIP_AT(ext4_super_block, s_free_inodes_count, 0x010);
XIP_AT(ext4_super_block, s_first_data_block, 0x014);
XIP_AT(ext4_super_block, s_log_block_size, 0x018);
XIP_AT(ext4_super_block, s_log_cluster_size, 0x01C);
XIP_AT(ext4_super_block, s_blocks_per_group, 0x020);
XIP_AT(ext4_super_block, s_clusters_per_group, 0x024);
XIP_AT(ext4_super_block, s_inodes_per_group, 0x028);
XIP_AT(ext4_super_block, s_mtime, 0x02C);
XIP_AT(ext4_super_block, s_wtime, 0x030);
XIP_AT(ext4_super_block, s_mnt_count, 0x034);
XIP_AT(ext4_super_block, s_max_mnt_count, 0x036);
XIP_AT(ext4_super_block, s_magic, 0x038);
XIP_AT(ext4_super_block, s_state, 0x03A);
XIP_AT(ext4_super_block, s_errors, 0x03C);
XIP_AT(ext4_super_block, s_minor_rev_level, 0x03E);
XIP_AT(ext4_super_block, s_lastcheck, 0x040);
XIP_AT(ext4_super_block, s_checkinterval, 0x044);
XIP_AT(ext4_super_block, s_creator_os, 0x048);
XIP_AT(ext4_super_block, s_rev_level, 0x04C);
XIP_AT(ext4_super_block, s_def_resuid, 0x050);
XIP_AT(ext4_super_block, s_def_resgid, 0x052);
XIP_AT(ext4_super_block, s_first_ino, 0x054);
XIP_AT(ext4_super_block, s_inode_size, 0x058);
XIP_AT(ext4_super_block, s_block_group_nr, 0x05A);
XIP_AT(ext4_super_block, s_feature_compat, 0x05C);
XIP_AT(ext4_super_block, s_feature_incompat, 0x060);
XIP_AT(ext4_super_block, s_feature_ro_compat, 0x064);
XIP_AT(ext4_super_block, s_uuid, 0x068);
XIP_AT(ext4_super_block, s_volume_name, 0x078);
XIP_AT(ext4_super_block, s_last_mounted, 0x088);
XIP_AT(ext4_super_block, s_algorithm_usage_bitmap, 0x0C8);
XIP_AT(ext4_super_block, s_prealloc_blocks, 0x0CC);
XIP_AT(ext4_super_block, s_prealloc_dir_blocks, 0x0CD);
XIP_AT(ext4_super_block, s_reserved_gdt_blocks, 0x0CE);
XIP_AT(ext4_super_block, s_journal_uuid, 0x0D0);
XIP_AT(ext4_super_block, s_journal_inum, 0x0E0);
XIP_AT(ext4_super_block, s_journal_dev, 0x0E4);
XIP_AT(ext4_super_block, s_last_orphan, 0x0E8);
XIP_AT(ext4_super_block, s_hash_seed, 0x0EC);
XIP_AT(ext4_super_block, s_def_hash_version, 0x0FC);
XIP_AT(ext4_super_block, s_jnl_backup_type, 0x0FD);
XIP_AT(ext4_super_block, s_desc_size, 0x0FE);
XIP_AT(ext4_super_block, s_default_mount_opts, 0x100);
XIP_AT(ext4_super_block, s_first_meta_bg, 0x104);
XIP_AT(ext4_super_block, s_mkfs_time, 0x108);
XIP_AT(ext4_super_block, s_jnl_blocks, 0x10C);
XIP_AT(ext4_super_block, s_blocks_count_hi, 0x150);
XIP_AT(ext4_super_block, s_r_blocks_count_hi, 0x154);
XIP_AT(ext4_super_block, s_free_blocks_count_hi, 0x158);
XIP_AT(ext4_super_block, s_min_extra_isize, 0x15C);
XIP_AT(ext4_super_block, s_want_extra_isize, 0x15E);
XIP_AT(ext4_super_block, s_flags, 0x160);
XIP_AT(ext4_super_block, s_raid_stride, 0x164);
XIP_AT(ext4_super_block, s_mmp_interval, 0x166);
XIP_AT(ext4_super_block, s_mmp_block, 0x168);
XIP_AT(ext4_super_block, s_raid_stripe_width, 0x170);
XIP_AT(ext4_super_block, s_log_groups_per_flex, 0x174);
XIP_AT(ext4_super_block, s_checksum_type, 0x175);
XIP_AT(ext4_super_block, s_encryption_level, 0x176);
XIP_AT(ext4_super_block, s_reserved_pad, 0x177);
XIP_AT(ext4_super_block, s_kbytes_written, 0x178);
XIP_AT(ext4_super_block, s_snapshot_inum, 0x180);
XIP_AT(ext4_super_block, s_snapshot_id, 0x184);
XIP_AT(ext4_super_block, s_snapshot_r_blocks_count, 0x188);
XIP_AT(ext4_super_block, s_snapshot_list, 0x190);
XIP_AT(ext4_super_block, s_error_count, 0x194);
XIP_AT(ext4_super_block, s_first_error_time, 0x198);
XIP_AT(ext4_super_block, s_first_error_ino, 0x19C);
XIP_AT(ext4_super_block, s_first_error_block, 0x1A0);
XIP_AT(ext4_super_block, s_first_error_func, 0x1A8);
XIP_AT(ext4_super_block, s_first_error_line, 0x1C8);
XIP_AT(ext4_super_block, s_last_error_time, 0x1CC);
XIP_AT(ext4_super_block, s_last_error_ino, 0x1D0);
XIP_AT(ext4_super_block, s_last_error_line, 0x1D4);
XIP_AT(ext4_super_block, s_last_error_block, 0x1D8);
XIP_AT(ext4_super_block, s_last_error_func, 0x1E0);
XIP_AT(ext4_super_block, s_mount_opts, 0x200);
XIP_AT(ext4_super_block, s_usr_quota_inum, 0x240);
XIP_AT(ext4_super_block, s_grp_quota_inum, 0x244);
XIP_AT(ext4_super_block, s_overhead_clusters, 0x248);
XIP_AT(ext4_super_block, s_backup_bgs, 0x24C);
XIP_AT(ext4_super_block, s_encrypt_algos, 0x254);
XIP_AT(ext4_super_block, s_encrypt_pw_salt, 0x258);
XIP_AT(ext4_super_block, s_lpf_ino, 0x268);
XIP_AT(ext4_super_block, s_prj_quota_inum, 0x26C);
XIP_AT(ext4_super_block, s_checksum_seed, 0x270);
XIP_AT(ext4_super_block, s_wtime_hi, 0x274);
XIP_AT(ext4_super_block, s_mtime_hi, 0x275);
XIP_AT(ext4_super_block, s_mkfs_time_hi, 0x276);
XIP_AT(ext4_super_block, s_lastcheck_hi, 0x277);
XIP_AT(ext4_super_block, s_first_error_time_hi, 0x278);
XIP_AT(ext4_super_block, s_last_error_time_hi, 0x279);
XIP_AT(ext4_super_block, s_first_error_errcode, 0x27A);
XIP_AT(ext4_super_block, s_last_error_errcode, 0x27B);
XIP_AT(ext4_super_block, s_encoding, 0x27C);
XIP_AT(ext4_super_block, s_encoding_flags, 0x27E);
XIP_AT(ext4_super_block, s_orphan_file_inum, 0x280);
XIP_AT(ext4_super_block, s_reserved, 0x284);
XIP_AT(ext4_super_block, s_checksum, 0x3FC);

// s_state
inline constexpr std::uint16_t valid_fs = 0x0001;    // EXT4_VALID_FS: unmounted cleanly
inline constexpr std::uint16_t error_fs = 0x0002;    // EXT4_ERROR_FS: errors were found
inline constexpr std::uint16_t orphan_fs = 0x0004;   // EXT4_ORPHAN_FS: orphans are being cleaned up
// s_errors
inline constexpr std::uint16_t errors_continue = 1;
inline constexpr std::uint16_t errors_ro = 2;
inline constexpr std::uint16_t errors_panic = 3;

// s_default_mount_opts
inline constexpr std::uint32_t default_bsdgroups = 0x2;  // EXT4_DEFM_BSDGROUPS
// s_rev_level
inline constexpr std::uint32_t good_old_rev = 0;
inline constexpr std::uint32_t dynamic_rev = 1;
inline constexpr std::uint16_t good_old_inode_size = 128;
inline constexpr std::uint32_t good_old_first_ino = 11;
// s_creator_os
inline constexpr std::uint32_t os_linux = 0;
inline constexpr std::uint32_t os_hurd = 1;
// s_flags
inline constexpr std::uint32_t flags_signed_hash = 0x0001;
inline constexpr std::uint32_t flags_unsigned_hash = 0x0002;
inline constexpr std::uint32_t flags_test_filesys = 0x0004;
// s_checksum_type
inline constexpr std::uint8_t checksum_crc32c = 1;

// ---- block group descriptor --------------------------------------------------------------------------------------------------------

struct ext4_group_desc {
  le32 bg_block_bitmap_lo;
  le32 bg_inode_bitmap_lo;
  le32 bg_inode_table_lo;          // first block
  le16 bg_free_blocks_count_lo;
  le16 bg_free_inodes_count_lo;
  le16 bg_used_dirs_count_lo;
  le16 bg_flags;
  le32 bg_exclude_bitmap_lo;
  le16 bg_block_bitmap_csum_lo;
  le16 bg_inode_bitmap_csum_lo;
  le16 bg_itable_unused_lo;        // inodes at the end of the table that were never used
  le16 bg_checksum;
  le32 bg_block_bitmap_hi;         // from here on only with 64bit and s_desc_size >= 64
  le32 bg_inode_bitmap_hi;
  le32 bg_inode_table_hi;
  le16 bg_free_blocks_count_hi;
  le16 bg_free_inodes_count_hi;
  le16 bg_used_dirs_count_hi;
  le16 bg_itable_unused_hi;
  le32 bg_exclude_bitmap_hi;
  le16 bg_block_bitmap_csum_hi;
  le16 bg_inode_bitmap_csum_hi;
  le32 bg_reserved;
};
inline constexpr std::uint32_t desc_size_32 = 32;
inline constexpr std::uint32_t desc_size_64 = 64;
static_assert(sizeof(ext4_group_desc) == desc_size_64 && alignof(ext4_group_desc) == 1);
XIP_AT(ext4_group_desc, bg_block_bitmap_lo, 0x00);
XIP_AT(ext4_group_desc, bg_inode_bitmap_lo, 0x04);
XIP_AT(ext4_group_desc, bg_inode_table_lo, 0x08);
XIP_AT(ext4_group_desc, bg_free_blocks_count_lo, 0x0C);
XIP_AT(ext4_group_desc, bg_free_inodes_count_lo, 0x0E);
XIP_AT(ext4_group_desc, bg_used_dirs_count_lo, 0x10);
XIP_AT(ext4_group_desc, bg_flags, 0x12);
XIP_AT(ext4_group_desc, bg_exclude_bitmap_lo, 0x14);
XIP_AT(ext4_group_desc, bg_block_bitmap_csum_lo, 0x18);
XIP_AT(ext4_group_desc, bg_inode_bitmap_csum_lo, 0x1A);
XIP_AT(ext4_group_desc, bg_itable_unused_lo, 0x1C);
XIP_AT(ext4_group_desc, bg_checksum, 0x1E);
XIP_AT(ext4_group_desc, bg_block_bitmap_hi, 0x20);
XIP_AT(ext4_group_desc, bg_inode_bitmap_hi, 0x24);
XIP_AT(ext4_group_desc, bg_inode_table_hi, 0x28);
XIP_AT(ext4_group_desc, bg_free_blocks_count_hi, 0x2C);
XIP_AT(ext4_group_desc, bg_free_inodes_count_hi, 0x2E);
XIP_AT(ext4_group_desc, bg_used_dirs_count_hi, 0x30);
XIP_AT(ext4_group_desc, bg_itable_unused_hi, 0x32);
XIP_AT(ext4_group_desc, bg_exclude_bitmap_hi, 0x34);
XIP_AT(ext4_group_desc, bg_block_bitmap_csum_hi, 0x38);
XIP_AT(ext4_group_desc, bg_inode_bitmap_csum_hi, 0x3A);
XIP_AT(ext4_group_desc, bg_reserved, 0x3C);

// bg_flags
inline constexpr std::uint16_t bg_inode_uninit = 0x0001;   // inode bitmap and table were never written
inline constexpr std::uint16_t bg_block_uninit = 0x0002;   // block bitmap was never written
inline constexpr std::uint16_t bg_inode_zeroed = 0x0004;   // unused slots of the inode table are zero

// ---- inode -----------------------------------------------------------------------------------------------------------------------

inline constexpr std::uint32_t n_blocks = 15;        // EXT4_N_BLOCKS: words of i_block
inline constexpr std::uint32_t fast_symlink_bytes = n_blocks * 4;  // a target with its end fits i_block if it has fewer
inline constexpr std::uint32_t ndir_blocks = 12;     // direct ones
inline constexpr std::uint32_t ind_block = 12;       // EXT4_IND_BLOCK
inline constexpr std::uint32_t dind_block = 13;      // EXT4_DIND_BLOCK
inline constexpr std::uint32_t tind_block = 14;      // EXT4_TIND_BLOCK
inline constexpr std::uint32_t link_max = 65000;     // EXT4_LINK_MAX

struct ext4_inode {
  le16 i_mode;
  le16 i_uid;                      // low 16 bits
  le32 i_size_lo;
  le32 i_atime;
  le32 i_ctime;
  le32 i_mtime;
  le32 i_dtime;                    // deleted at; on the orphan list: the next number
  le16 i_gid;                      // low 16 bits
  le16 i_links_count;
  le32 i_blocks_lo;                // 512-byte units; blocks with huge_file_fl
  le32 i_flags;
  le32 i_version_lo;
  le32 i_block[n_blocks];          // extent root, block map, fast symlink, or device number
  le32 i_generation;
  le32 i_file_acl_lo;              // xattr block
  le32 i_size_high;
  le32 i_obso_faddr;
  le16 i_blocks_high;
  le16 i_file_acl_high;
  le16 i_uid_high;
  le16 i_gid_high;
  le16 i_checksum_lo;
  le16 i_reserved;
  le16 i_extra_isize;              // bytes of what follows that are in use
  le16 i_checksum_hi;
  le32 i_ctime_extra;              // nanoseconds << 2 | epoch
  le32 i_mtime_extra;
  le32 i_atime_extra;
  le32 i_crtime;
  le32 i_crtime_extra;
  le32 i_version_hi;
  le32 i_projid;
};
static_assert(sizeof(ext4_inode) == 160 && alignof(ext4_inode) == 1);
XIP_AT(ext4_inode, i_mode, 0x00);
XIP_AT(ext4_inode, i_uid, 0x02);
XIP_AT(ext4_inode, i_size_lo, 0x04);
XIP_AT(ext4_inode, i_atime, 0x08);
XIP_AT(ext4_inode, i_ctime, 0x0C);
XIP_AT(ext4_inode, i_mtime, 0x10);
XIP_AT(ext4_inode, i_dtime, 0x14);
XIP_AT(ext4_inode, i_gid, 0x18);
XIP_AT(ext4_inode, i_links_count, 0x1A);
XIP_AT(ext4_inode, i_blocks_lo, 0x1C);
XIP_AT(ext4_inode, i_flags, 0x20);
XIP_AT(ext4_inode, i_version_lo, 0x24);
XIP_AT(ext4_inode, i_block, 0x28);
XIP_AT(ext4_inode, i_generation, 0x64);
XIP_AT(ext4_inode, i_file_acl_lo, 0x68);
XIP_AT(ext4_inode, i_size_high, 0x6C);
XIP_AT(ext4_inode, i_obso_faddr, 0x70);
XIP_AT(ext4_inode, i_blocks_high, 0x74);
XIP_AT(ext4_inode, i_file_acl_high, 0x76);
XIP_AT(ext4_inode, i_uid_high, 0x78);
XIP_AT(ext4_inode, i_gid_high, 0x7A);
XIP_AT(ext4_inode, i_checksum_lo, 0x7C);
XIP_AT(ext4_inode, i_reserved, 0x7E);
XIP_AT(ext4_inode, i_extra_isize, 0x80);
XIP_AT(ext4_inode, i_checksum_hi, 0x82);
XIP_AT(ext4_inode, i_ctime_extra, 0x84);
XIP_AT(ext4_inode, i_mtime_extra, 0x88);
XIP_AT(ext4_inode, i_atime_extra, 0x8C);
XIP_AT(ext4_inode, i_crtime, 0x90);
XIP_AT(ext4_inode, i_crtime_extra, 0x94);
XIP_AT(ext4_inode, i_version_hi, 0x98);
XIP_AT(ext4_inode, i_projid, 0x9C);

// i_flags: EXT4_*_FL
inline constexpr std::uint32_t secrm_fl = 0x00000001;
inline constexpr std::uint32_t unrm_fl = 0x00000002;
inline constexpr std::uint32_t compr_fl = 0x00000004;
inline constexpr std::uint32_t sync_fl = 0x00000008;
inline constexpr std::uint32_t immutable_fl = 0x00000010;
inline constexpr std::uint32_t append_fl = 0x00000020;
inline constexpr std::uint32_t nodump_fl = 0x00000040;
inline constexpr std::uint32_t noatime_fl = 0x00000080;
inline constexpr std::uint32_t dirty_fl = 0x00000100;
inline constexpr std::uint32_t comprblk_fl = 0x00000200;
inline constexpr std::uint32_t nocompr_fl = 0x00000400;
inline constexpr std::uint32_t encrypt_fl = 0x00000800;
inline constexpr std::uint32_t index_fl = 0x00001000;        // hashed directory
inline constexpr std::uint32_t imagic_fl = 0x00002000;
inline constexpr std::uint32_t journal_data_fl = 0x00004000;
inline constexpr std::uint32_t notail_fl = 0x00008000;
inline constexpr std::uint32_t dirsync_fl = 0x00010000;
inline constexpr std::uint32_t topdir_fl = 0x00020000;
inline constexpr std::uint32_t huge_file_fl = 0x00040000;    // i_blocks counts blocks
inline constexpr std::uint32_t extents_fl = 0x00080000;
inline constexpr std::uint32_t verity_fl = 0x00100000;
inline constexpr std::uint32_t ea_inode_fl = 0x00200000;
inline constexpr std::uint32_t eofblocks_fl = 0x00400000;
inline constexpr std::uint32_t dax_fl = 0x02000000;
inline constexpr std::uint32_t inline_data_fl = 0x10000000;
inline constexpr std::uint32_t projinherit_fl = 0x20000000;
inline constexpr std::uint32_t casefold_fl = 0x40000000;
inline constexpr std::uint32_t reserved_fl = 0x80000000;
// What a new inode takes over from its directory; for regular files without dirsync and topdir, for others nodump and noatime alone.
inline constexpr std::uint32_t flags_inherited = secrm_fl | unrm_fl | compr_fl | sync_fl | nodump_fl | noatime_fl | nocompr_fl |
                                                 journal_data_fl | notail_fl | dirsync_fl | projinherit_fl | casefold_fl | dax_fl;
inline constexpr std::uint32_t flags_regular = ~(dirsync_fl | topdir_fl | casefold_fl | projinherit_fl);
inline constexpr std::uint32_t flags_other = nodump_fl | noatime_fl;
// What FS_IOC_GETFLAGS shows, and what FS_IOC_SETFLAGS may change. Linux: EXT4_FL_USER_VISIBLE, EXT4_FL_USER_MODIFIABLE.
inline constexpr std::uint32_t flags_visible = 0x725BDFFF;
inline constexpr std::uint32_t flags_modifiable = 0x624BC0FF;

// Numbers that are not ordinary files
inline constexpr std::uint32_t bad_ino = 1;
inline constexpr std::uint32_t root_ino = 2;
inline constexpr std::uint32_t usr_quota_ino = 3;
inline constexpr std::uint32_t grp_quota_ino = 4;
inline constexpr std::uint32_t boot_loader_ino = 5;
inline constexpr std::uint32_t undel_dir_ino = 6;
inline constexpr std::uint32_t resize_ino = 7;
inline constexpr std::uint32_t journal_ino = 8;

// The two bits below the nanoseconds extend the signed 32-bit seconds: 1901 to 2446.
inline constexpr std::uint32_t epoch_bits = 2;
inline constexpr std::uint32_t epoch_mask = (1u << epoch_bits) - 1;
inline constexpr std::int64_t time_min = INT32_MIN;
inline constexpr std::int64_t time_max = (std::int64_t{epoch_mask} << 32) + INT32_MAX;

// ---- extent tree -----------------------------------------------------------------------------------------------------------------

inline constexpr std::uint16_t extent_magic = 0xF30A;
inline constexpr std::uint16_t extent_init_max_len = 1u << 15;                  // EXT_INIT_MAX_LEN: longer ee_len means unwritten
inline constexpr std::uint16_t extent_unwritten_max_len = extent_init_max_len - 1;
inline constexpr std::uint16_t extent_max_depth = 5;
inline constexpr std::uint32_t extent_max_block = 0xFFFFFFFF;                   // EXT_MAX_BLOCKS: never a block of a file

struct ext4_extent_header {
  le16 eh_magic;
  le16 eh_entries;
  le16 eh_max;
  le16 eh_depth;                   // 0: leaf
  le32 eh_generation;
};
static_assert(sizeof(ext4_extent_header) == 12);
XIP_AT(ext4_extent_header, eh_magic, 0);
XIP_AT(ext4_extent_header, eh_entries, 2);
XIP_AT(ext4_extent_header, eh_max, 4);
XIP_AT(ext4_extent_header, eh_depth, 6);
XIP_AT(ext4_extent_header, eh_generation, 8);

struct ext4_extent {
  le32 ee_block;                   // first block of the file
  le16 ee_len;                     // blocks; > 32768: unwritten, 32768 less
  le16 ee_start_hi;
  le32 ee_start_lo;                // first block of the device
};
static_assert(sizeof(ext4_extent) == 12);
XIP_AT(ext4_extent, ee_block, 0);
XIP_AT(ext4_extent, ee_len, 4);
XIP_AT(ext4_extent, ee_start_hi, 6);
XIP_AT(ext4_extent, ee_start_lo, 8);

struct ext4_extent_idx {
  le32 ei_block;                   // the subtree covers from this block of the file on
  le32 ei_leaf_lo;                 // block of the next level
  le16 ei_leaf_hi;
  le16 ei_unused;
};
static_assert(sizeof(ext4_extent_idx) == 12);
XIP_AT(ext4_extent_idx, ei_block, 0);
XIP_AT(ext4_extent_idx, ei_leaf_lo, 4);
XIP_AT(ext4_extent_idx, ei_leaf_hi, 8);
XIP_AT(ext4_extent_idx, ei_unused, 10);

struct ext4_extent_tail {          // after eh_max entries of a tree block, with metadata_csum
  le32 et_checksum;
};
static_assert(sizeof(ext4_extent_tail) == 4);
XIP_AT(ext4_extent_tail, et_checksum, 0);

// ---- directory -------------------------------------------------------------------------------------------------------------------

inline constexpr std::uint32_t name_len_max = 255;   // EXT4_NAME_LEN

struct ext4_dir_entry {            // name_len bytes of name follow; a multiple of 4 in all
  le32 inode;                      // 0: unused
  le16 rec_len;                    // bytes to the next entry
  std::uint8_t name_len;
  std::uint8_t file_type;          // ft_; without filetype the high byte of the length, zero
};
static_assert(sizeof(ext4_dir_entry) == 8);
XIP_AT(ext4_dir_entry, inode, 0);
XIP_AT(ext4_dir_entry, rec_len, 4);
XIP_AT(ext4_dir_entry, name_len, 6);
XIP_AT(ext4_dir_entry, file_type, 7);

struct ext4_dir_entry_tail {       // last 12 bytes of a leaf block, with metadata_csum
  le32 det_reserved_zero1;         // as inode 0
  le16 det_rec_len;                // 12
  std::uint8_t det_reserved_zero2;
  std::uint8_t det_reserved_ft;    // ft_dir_csum
  le32 det_checksum;
};
static_assert(sizeof(ext4_dir_entry_tail) == 12);
XIP_AT(ext4_dir_entry_tail, det_reserved_zero1, 0);
XIP_AT(ext4_dir_entry_tail, det_rec_len, 4);
XIP_AT(ext4_dir_entry_tail, det_reserved_zero2, 6);
XIP_AT(ext4_dir_entry_tail, det_reserved_ft, 7);
XIP_AT(ext4_dir_entry_tail, det_checksum, 8);

// file_type
inline constexpr std::uint8_t ft_unknown = 0;
inline constexpr std::uint8_t ft_reg_file = 1;
inline constexpr std::uint8_t ft_dir = 2;
inline constexpr std::uint8_t ft_chrdev = 3;
inline constexpr std::uint8_t ft_blkdev = 4;
inline constexpr std::uint8_t ft_fifo = 5;
inline constexpr std::uint8_t ft_sock = 6;
inline constexpr std::uint8_t ft_symlink = 7;
inline constexpr std::uint8_t ft_max = 8;
inline constexpr std::uint8_t ft_dir_csum = 0xDE;

// s_def_hash_version and dx_root_info.hash_version
inline constexpr std::uint8_t hash_legacy = 0;
inline constexpr std::uint8_t hash_half_md4 = 1;
inline constexpr std::uint8_t hash_tea = 2;
inline constexpr std::uint8_t hash_legacy_unsigned = 3;
inline constexpr std::uint8_t hash_half_md4_unsigned = 4;
inline constexpr std::uint8_t hash_tea_unsigned = 5;
inline constexpr std::uint8_t hash_siphash = 6;
inline constexpr std::uint32_t htree_max_levels_small = 2;   // levels of index, without large_dir
inline constexpr std::uint32_t htree_max_levels_large = 3;

struct dx_entry {                  // the first one's hash is a dx_countlimit
  le32 hash;
  le32 block;                      // of the directory
};
static_assert(sizeof(dx_entry) == 8);
XIP_AT(dx_entry, hash, 0);
XIP_AT(dx_entry, block, 4);

struct dx_countlimit {
  le16 limit;
  le16 count;
};
static_assert(sizeof(dx_countlimit) == 4);
XIP_AT(dx_countlimit, limit, 0);
XIP_AT(dx_countlimit, count, 2);

struct dx_root_info {
  le32 reserved_zero;
  std::uint8_t hash_version;
  std::uint8_t info_length;        // 8
  std::uint8_t indirect_levels;
  std::uint8_t unused_flags;
};
static_assert(sizeof(dx_root_info) == 8);
XIP_AT(dx_root_info, reserved_zero, 0);
XIP_AT(dx_root_info, hash_version, 4);
XIP_AT(dx_root_info, info_length, 5);
XIP_AT(dx_root_info, indirect_levels, 6);
XIP_AT(dx_root_info, unused_flags, 7);

struct dx_root {                   // block 0 of a hashed directory; dx_entry array follows
  ext4_dir_entry dot;
  char dot_name[4];
  ext4_dir_entry dotdot;           // covers the rest of the block
  char dotdot_name[4];
  dx_root_info info;
};
static_assert(sizeof(dx_root) == 32);
XIP_AT(dx_root, dot, 0);
XIP_AT(dx_root, dot_name, 8);
XIP_AT(dx_root, dotdot, 12);
XIP_AT(dx_root, dotdot_name, 20);
XIP_AT(dx_root, info, 24);

struct dx_node {                   // an index block below the root; dx_entry array follows
  ext4_dir_entry fake;             // unused, covers the whole block
};
static_assert(sizeof(dx_node) == 8);
XIP_AT(dx_node, fake, 0);

struct dx_tail {                   // after limit entries, with metadata_csum
  le32 dt_reserved;
  le32 dt_checksum;
};
static_assert(sizeof(dx_tail) == 8);
XIP_AT(dx_tail, dt_reserved, 0);
XIP_AT(dx_tail, dt_checksum, 4);

// ---- extended attributes -----------------------------------------------------------------------------------------------------------

inline constexpr std::uint32_t xattr_magic = 0xEA020000;
inline constexpr std::uint32_t xattr_refcount_max = 1024;

struct ext4_xattr_header {         // of an xattr block
  le32 h_magic;
  le32 h_refcount;                 // inodes that share the block
  le32 h_blocks;                   // 1
  le32 h_hash;
  le32 h_checksum;
  le32 h_reserved[3];
};
static_assert(sizeof(ext4_xattr_header) == 32);
XIP_AT(ext4_xattr_header, h_magic, 0);
XIP_AT(ext4_xattr_header, h_refcount, 4);
XIP_AT(ext4_xattr_header, h_blocks, 8);
XIP_AT(ext4_xattr_header, h_hash, 12);
XIP_AT(ext4_xattr_header, h_checksum, 16);
XIP_AT(ext4_xattr_header, h_reserved, 20);

struct ext4_xattr_ibody_header {   // after i_extra_isize in the inode's slot
  le32 h_magic;
};
static_assert(sizeof(ext4_xattr_ibody_header) == 4);
XIP_AT(ext4_xattr_ibody_header, h_magic, 0);

struct ext4_xattr_entry {          // e_name_len bytes of name follow; a multiple of 4 in all
  std::uint8_t e_name_len;
  std::uint8_t e_name_index;       // which prefix
  le16 e_value_offs;
  le32 e_value_inum;
  le32 e_value_size;
  le32 e_hash;
};
static_assert(sizeof(ext4_xattr_entry) == 16);
XIP_AT(ext4_xattr_entry, e_name_len, 0);
XIP_AT(ext4_xattr_entry, e_name_index, 1);
XIP_AT(ext4_xattr_entry, e_value_offs, 2);
XIP_AT(ext4_xattr_entry, e_value_inum, 4);
XIP_AT(ext4_xattr_entry, e_value_size, 8);
XIP_AT(ext4_xattr_entry, e_hash, 12);

// e_name_index: what stands before the name
inline constexpr std::uint8_t xattr_index_user = 1;
inline constexpr std::uint8_t xattr_index_posix_acl_access = 2;   // the whole name
inline constexpr std::uint8_t xattr_index_posix_acl_default = 3;  // the whole name
inline constexpr std::uint8_t xattr_index_trusted = 4;
inline constexpr std::uint8_t xattr_index_security = 6;
inline constexpr std::uint8_t xattr_index_hurd = 10;

// ---- access control lists: the values of two attributes ---------------------------------------------------------------------------------

inline constexpr std::uint32_t acl_version = 1;

struct ext4_acl_header {
  le32 a_version;
};
static_assert(sizeof(ext4_acl_header) == 4);
XIP_AT(ext4_acl_header, a_version, 0);

struct ext4_acl_entry_short {      // an le32 with the id follows for a user or group by number
  le16 e_tag;
  le16 e_perm;
};
static_assert(sizeof(ext4_acl_entry_short) == 4);
XIP_AT(ext4_acl_entry_short, e_tag, 0);
XIP_AT(ext4_acl_entry_short, e_perm, 2);

// ---- the orphan file ----------------------------------------------------------------------------------------------------------------------

inline constexpr std::uint32_t orphan_block_magic = 0x0B10CA04;

struct ext4_orphan_block_tail {    // last 8 bytes of each of its blocks; before it le32 inode numbers, 0 where none is
  le32 ob_magic;
  le32 ob_checksum;                // with metadata_csum; of the inode's seed, the block's number as le64, and the inode numbers
};
static_assert(sizeof(ext4_orphan_block_tail) == 8);
XIP_AT(ext4_orphan_block_tail, ob_magic, 0);
XIP_AT(ext4_orphan_block_tail, ob_checksum, 4);

#undef XIP_AT
// clang-format on

}  // namespace xip::ext4lite
