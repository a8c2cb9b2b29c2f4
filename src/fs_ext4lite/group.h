// Descriptors and bitmaps of block groups, for the two allocators. Linux: fs/ext4/balloc.c, ialloc.c.
#pragma once

#include <cstdint>
#include <span>

#include <xip/base/result.h>
#include <xip/dev/buffer_cache.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// The block that holds the descriptor of G, and the descriptor within the writable contents of that block.
[[nodiscard]] dev::buffer& desc_buffer(const ext4_sb_info& sb, group_t g) noexcept;
[[nodiscard]] ext4_group_desc& desc_within(const ext4_sb_info& sb, group_t g, std::span<std::byte> block) noexcept;
[[nodiscard]] std::span<const std::byte> desc_bytes(const ext4_sb_info& sb, group_t g) noexcept;

// Counts of a descriptor, 64-bit aware.
struct desc_counts {
  std::uint32_t free_blocks, free_inodes, used_dirs, itable_unused;
};
[[nodiscard]] desc_counts counts_of(const ext4_sb_info& sb, const ext4_group_desc& d) noexcept;
void set_free_blocks(const ext4_sb_info& sb, ext4_group_desc& d, std::uint32_t n) noexcept;
void set_free_inodes(const ext4_sb_info& sb, ext4_group_desc& d, std::uint32_t n) noexcept;
void set_used_dirs(const ext4_sb_info& sb, ext4_group_desc& d, std::uint32_t n) noexcept;
void set_itable_unused(const ext4_sb_info& sb, ext4_group_desc& d, std::uint32_t n) noexcept;
// Descriptors carry checksums, and so bg_flags that mean something.
[[nodiscard]] bool has_desc_checksums(const ext4_sb_info& sb) noexcept;
// bg_flags, zero where they mean nothing.
[[nodiscard]] std::uint16_t flags_of(const ext4_sb_info& sb, const ext4_group_desc& d) noexcept;

// Super block, descriptors and blocks reserved for more of them, at the start of G.
[[nodiscard]] std::uint32_t base_meta_blocks(const ext4_sb_info& sb, group_t g) noexcept;
// Where descriptor block N lies.
[[nodiscard]] pblk_t desc_block_location(const ext4_sb_info& sb, std::uint32_t n) noexcept;

// The group's bitmap, its checksum and shape verified on first use. EUCLEAN: the group is marked corrupt, nothing is allocated from it.
// Of a group whose flags say that it was never written the contents are undefined until init_*_bitmap.
[[nodiscard]] result<dev::buffer_ref> load_block_bitmap(ext4_sb_info& sb, group_t g);
[[nodiscard]] result<dev::buffer_ref> load_inode_bitmap(ext4_sb_info& sb, group_t g);
// What mke2fs would have written: only the group's own metadata is in use.
void init_block_bitmap(const ext4_sb_info& sb, group_t g, std::span<std::byte> bits) noexcept;
void init_inode_bitmap(const ext4_sb_info& sb, std::span<std::byte> bits) noexcept;

// The checksums of G's bitmaps and descriptor must be filled in at the next commit.
void mark_checksums_stale(ext4_sb_info& sb, group_info& g) noexcept;

}  // namespace xip::ext4lite
