// A block of a directory's index, as bytes: the root (block 0, behind . and ..) or a node. No I/O, no locks.
// Linux: dx_probe, dx_insert_block and their kin (fs/ext4/namei.c); Documentation/filesystems/ext4/directory.rst, "Hash Tree Directories".
//
// An index block is an array of (hash, block), ascending. The first entry's hash is not stored: it counts as 0, and its place holds the
// array's limit and count. An entry stands for the names from its hash on; the lowest bit of the hash says that the leaf before it ends
// with the same hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <xip/base/units.h>

#include "fs_ext4lite/dir_block.h"
#include "fs_ext4lite/format.h"

namespace xip::ext4lite {

inline constexpr std::uint32_t dx_block_mask = 0x0FFFFFFF;  // of an entry's block; the rest is reserved

// Where the array starts.
[[nodiscard]] constexpr std::uint32_t dx_entries_offset(dir_block_shape shape) noexcept {
  return shape == dir_block_shape::dx_root ? sizeof(dx_root) : sizeof(dx_node);
}
// How many entries such a block can hold.
[[nodiscard]] constexpr std::uint32_t dx_limit(std::size_t block_size, dir_block_shape shape, const dir_rules& rules) noexcept {
  const std::size_t room = block_size - dx_entries_offset(shape) - (rules.has_tail ? sizeof(dx_tail) : 0);
  return static_cast<std::uint32_t>(room / sizeof(dx_entry));
}

class dx_view {
 public:
  dx_view(std::span<const std::byte> block, dir_block_shape shape) noexcept : block_{block}, entries_{dx_entries_offset(shape)} {}
  [[nodiscard]] std::uint32_t limit() const noexcept { return load_at<dx_countlimit>(block_, entries_).limit; }
  [[nodiscard]] std::uint32_t count() const noexcept { return load_at<dx_countlimit>(block_, entries_).count; }
  [[nodiscard]] std::uint32_t hash(std::uint32_t i) const noexcept { return i == 0 ? 0 : at(i).hash.load(); }
  [[nodiscard]] lblk_t block(std::uint32_t i) const noexcept { return lblk_t{at(i).block & dx_block_mask}; }
  // The last entry whose hash is not above HASH. There is one entry at least.
  [[nodiscard]] std::uint32_t find(std::uint32_t hash) const noexcept;
  [[nodiscard]] bool full() const noexcept { return count() >= limit(); }

 private:
  [[nodiscard]] dx_entry at(std::uint32_t i) const noexcept { return load_at<dx_entry>(block_, entries_ + i * sizeof(dx_entry)); }
  std::span<const std::byte> block_;
  std::uint32_t entries_;
};

[[nodiscard]] dx_root_info dx_info_of(std::span<const std::byte> root) noexcept;

// What is wrong with the block, or null: limit and count; of a root also the hash version, the depth (at most MAX_LEVELS of index), . and
// ...
[[nodiscard]] const char* check_dx_root(std::span<const std::byte> root, const dir_rules& rules, std::uint32_t max_levels) noexcept;
[[nodiscard]] const char* check_dx_node(std::span<const std::byte> node, const dir_rules& rules) noexcept;
// Takes time, and no access depends on it: asked once for a block.
[[nodiscard]] bool dx_hashes_ascend(std::span<const std::byte> block, dir_block_shape shape) noexcept;

// BLOCK, a leaf with . and .. first, becomes the root of an index with one leaf.
void init_dx_root(std::span<std::byte> block, const dir_rules& rules, std::uint8_t hash_version, lblk_t leaf) noexcept;
// An empty node.
void init_dx_node(std::span<std::byte> block, const dir_rules& rules) noexcept;
// A new entry behind entry AT; there is room.
void insert_dx_entry(std::span<std::byte> block, dir_block_shape shape, std::uint32_t at, std::uint32_t hash, lblk_t leaf) noexcept;
// The upper half of NODE moves to FRESH, which becomes a node. Answers the first hash there.
[[nodiscard]] std::uint32_t split_dx_node(std::span<std::byte> node, std::span<std::byte> fresh, const dir_rules& rules) noexcept;
// All of ROOT's entries move to FRESH, which becomes a node in block LBLK and the root's only entry: the index is one level deeper.
void deepen_dx_root(std::span<std::byte> root, std::span<std::byte> fresh, const dir_rules& rules, lblk_t lblk) noexcept;

}  // namespace xip::ext4lite
