// An area of attributes, as bytes: checking, reading, laying out. No I/O, no locks. Linux: fs/ext4/xattr.c (check_xattrs, ext4_xattr_set_entry);
// Documentation/filesystems/ext4/attributes.rst.
//
// Entries stand at the start, a zero word behind the last; values lie anywhere between there and the end. Nothing here trusts the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fs_ext4lite/format.h"

namespace xip::ext4lite {

// Where attributes lie: in an inode, or in a block of their own.
struct xattr_area {
  std::span<const std::byte> bytes;  // offsets of values count from its start
  std::size_t entries = 0;           // where the first entry stands
};

// One attribute. NAME (without its prefix) and VALUE point into what it was read from.
struct xattr_view {
  std::uint8_t name_index = 0;
  std::string_view name;
  std::span<const std::byte> value;
  std::uint32_t hash = 0;  // e_hash: of a block's entry
  [[nodiscard]] bool is(std::uint8_t index, std::string_view text) const noexcept { return name_index == index && name == text; }
};
using xattr_views = std::pmr::vector<xattr_view>;

// What an entry takes, and what its value takes.
[[nodiscard]] constexpr std::size_t xattr_entry_bytes(std::size_t name_bytes) noexcept {
  return (sizeof(ext4_xattr_entry) + name_bytes + 3) & ~std::size_t{3};
}
[[nodiscard]] constexpr std::size_t xattr_value_bytes(std::size_t bytes) noexcept { return (bytes + 3) & ~std::size_t{3}; }

// The attributes of AREA, or what is wrong with it: an entry or value that is not within it, a value that lies over another or over the entries, a
// name with a zero byte, a value that is to be in an inode of its own. MEMORY is for the answer and on the way to it.
[[nodiscard]] std::expected<xattr_views, std::string> read_xattrs(const xattr_area& area, std::pmr::memory_resource& memory);

// ITEMS have room in an area of SIZE bytes whose entries begin at ENTRIES.
[[nodiscard]] bool xattrs_fit(std::size_t size, std::size_t entries, const xattr_views& items) noexcept;
// Fills AREA from ENTRIES on with ITEMS, which fit, and zeros. ITEMS do not point into AREA.
void lay_out_xattrs(std::span<std::byte> area, std::size_t entries, const xattr_views& items) noexcept;

// ---- what is true of blocks only

// The order in which entries of a block stand.
[[nodiscard]] bool xattr_before(const xattr_view& a, const xattr_view& b) noexcept;
// How char is taken in a name: as unsigned since Linux 6.2, before that as the machine has it.
enum class name_chars : std::uint8_t { unsigned_, signed_ };
[[nodiscard]] std::uint32_t xattr_entry_hash(const xattr_view& item, name_chars chars) noexcept;
// Of a block that holds ITEMS. Zero: nobody else may share it.
[[nodiscard]] std::uint32_t xattr_block_hash(const xattr_views& items) noexcept;
// The same attributes in the same order, wherever their values lie.
[[nodiscard]] bool same_xattrs(const xattr_views& a, const xattr_views& b) noexcept;

}  // namespace xip::ext4lite
