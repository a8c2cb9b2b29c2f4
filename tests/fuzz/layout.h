// Where the structures of an ext4 image lie, as far as the image lets itself be read: for who wants to damage one of them, or to repair the
// checksums around the damage.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "fs_ext4lite/format.h"
#include "fuzz/sparse_image.h"

namespace xip::fuzz {

struct geometry {
  std::uint32_t block_size;
  std::uint32_t inode_size;
  std::uint32_t desc_size;
  std::uint32_t inodes_per_group;
  std::uint32_t blocks_per_group;
  std::uint32_t first_data_block;
  std::uint32_t groups;
  std::uint32_t first_desc_block;
  std::uint64_t blocks;
  std::uint32_t seed;  // of the file system's checksums
  bool metadata_csum;
  bool gdt_csum;
  bool is_64bit;
};

// Nothing where the super block describes no file system at all.
[[nodiscard]] std::optional<geometry> geometry_of(const sparse_image& image);

[[nodiscard]] std::uint64_t offset_of_desc(const geometry& g, std::uint32_t group) noexcept;
// Nothing: there is no such inode, or its group's table lies outside.
[[nodiscard]] std::optional<std::uint64_t> offset_of_inode(const sparse_image& image, const geometry& g, std::uint32_t ino);

enum class structure_kind : std::uint8_t {
  super_block,
  group_desc,
  block_bitmap,
  inode_bitmap,
  inode,
  extent_block,
  pointer_block,  // of a block map
  directory_leaf,
  directory_index,
  xattr_block,
  orphan_block,  // of the orphan file
  journal_super,
  journal_descriptor,
  journal_revoke,
  journal_commit,
  data,  // of a file, or the text of a symlink
};

struct structure {
  structure_kind kind;
  std::uint64_t offset;
  std::uint32_t bytes;
  std::uint32_t number;  // the group's, or the inode it belongs to
  std::uint32_t seed;    // what its checksum starts from, where it belongs to an inode or the journal
};

// Offsets of the journal's blocks, the first first; as far as its inode's root names them.
[[nodiscard]] std::vector<std::uint64_t> journal_blocks_of(const sparse_image& image, const geometry& g);

// All that can be found, in no order that matters. Ends early in images that lead in circles.
[[nodiscard]] std::vector<structure> structures_of(const sparse_image& image, const geometry& g);

// What a field of a structure means: says which values are interesting in it.
enum class meaning : std::uint8_t { number, block, inode, length, flags };

struct field {
  std::uint64_t offset;
  std::uint8_t width;  // 1, 2, 4 or 8 bytes
  meaning what;
  bool big_endian = false;
};
// The fields of S, and of what lies in it: entries, extents, attributes.
[[nodiscard]] std::vector<field> fields_of(const sparse_image& image, const geometry& g, const structure& s);

}  // namespace xip::fuzz
