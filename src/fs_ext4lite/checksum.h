// Checksums of metadata: crc32c with metadata_csum, crc16 of descriptors with uninit_bg. Linux: the *_csum functions of fs/ext4.
//
// Blocks of one inode (extent tree, directory, orphan file) and xattr blocks get theirs when they are written out: set_block_trigger says which kind a
// buffer is. Bitmaps and descriptors get theirs at commit (group.cc), inodes when their slot is filled in.
#pragma once

#include <cstdint>
#include <span>

#include <xip/base/units.h>
#include <xip/dev/buffer_cache.h>

#include "fs_ext4lite/format.h"

namespace xip::ext4lite {

struct ext4_sb_info;
struct ext4_inode_info;

enum class block_kind : std::uint8_t { extent_tree, directory_leaf, directory_index, xattr, orphan_file };

// The checksum of DATA, a whole block of KIND, is right; always so without metadata_csum. Reads nothing outside DATA whatever it holds.
[[nodiscard]] bool block_checksum_ok(const ext4_inode_info& inode, block_kind kind, pblk_t block, std::span<const std::byte> data) noexcept;
// B is a block of KIND of INODE: its checksum is filled in whenever it is written out. Nothing without metadata_csum.
// A directory leaf needs its tail entry, an index block its limit, before it is written.
void set_block_trigger(const ext4_inode_info& inode, block_kind kind, dev::buffer& b) noexcept;

// What checksums of INODE's blocks start from.
[[nodiscard]] std::uint32_t inode_csum_seed(const ext4_sb_info& sb, ino_t number, std::uint32_t generation) noexcept;
// SLOT is the inode as it lies in its table, s_inode_size bytes.
[[nodiscard]] bool inode_checksum_ok(const ext4_sb_info& sb, std::uint32_t seed, std::span<const std::byte> slot) noexcept;
void inode_checksum_set(const ext4_sb_info& sb, std::uint32_t seed, std::span<std::byte> slot) noexcept;

[[nodiscard]] std::uint32_t super_block_checksum(const ext4_super_block& es) noexcept;
// Fills in the super block's checksum; CONTEXT is the ext4_sb_info.
void super_block_trigger(void* context, pblk_t block, std::span<std::byte> data) noexcept;

// DESC has s_desc_size bytes. Zero where the file system keeps none.
[[nodiscard]] std::uint16_t group_desc_checksum(const ext4_sb_info& sb, group_t group, std::span<const std::byte> desc) noexcept;
// Of the bytes that hold a bit for each block (inode) of a group.
[[nodiscard]] std::uint32_t bitmap_checksum(const ext4_sb_info& sb, std::span<const std::byte> bits) noexcept;

}  // namespace xip::ext4lite
