// A block of names, as bytes: walking it, looking for a name or for room, adding, removing. No I/O, no locks.
// Linux: ext4_check_dir_entry, search_dirblock, ext4_insert_dentry (fs/ext4/dir.c, namei.c); Documentation/filesystems/ext4/directory.rst.
//
// Nothing here trusts the bytes: an entry is looked at only after it was found to lie within the block, whoever wrote it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include <xip/base/assert.h>
#include <xip/base/units.h>

#include "fs_ext4lite/format.h"

namespace xip::ext4lite {

struct ext4_sb_info;

// What the file system lets a directory hold.
struct dir_rules {
  std::uint32_t inodes_count = 0;
  bool has_filetype = true;
  bool has_tail = true;  // a leaf ends with a checksum
};
[[nodiscard]] dir_rules dir_rules_of(const ext4_sb_info& sb) noexcept;

// A leaf holds names. The other two hold an index, and look like blocks with ., .. and nothing else (root), or with nothing at all (node).
enum class dir_block_shape : std::uint8_t { leaf, dx_root, dx_node };

// Bytes an entry needs.
[[nodiscard]] constexpr std::uint32_t dir_entry_bytes(std::size_t name_len) noexcept {
  return static_cast<std::uint32_t>((sizeof(ext4_dir_entry) + name_len + 3) & ~std::size_t{3});
}
inline constexpr std::uint32_t smallest_dir_entry = dir_entry_bytes(1);
// Bytes of a leaf that entries may use.
[[nodiscard]] constexpr std::size_t leaf_room(std::size_t block_size, const dir_rules& rules) noexcept {
  return rules.has_tail ? block_size - sizeof(ext4_dir_entry_tail) : block_size;
}

// One entry, checked. NAME points into the block.
struct dir_entry_view {
  std::uint32_t offset = 0;
  std::uint32_t rec_len = 0;
  ino_t inode;  // 0: unused
  std::uint8_t file_type = ft_unknown;
  std::string_view name;

  [[nodiscard]] bool in_use() const noexcept { return inode.value() != 0; }
  // Bytes behind it that a new entry may have.
  [[nodiscard]] std::uint32_t slack() const noexcept { return in_use() ? rec_len - dir_entry_bytes(name.size()) : rec_len; }
};

// From the first entry to the last.
class dir_entry_walk {
 public:
  // FROM is where an entry begins.
  dir_entry_walk(std::span<const std::byte> block, const dir_rules& rules, dir_block_shape shape = dir_block_shape::leaf,
                 std::uint32_t from = 0) noexcept
      : block_{block}, rules_{rules}, end_{shape == dir_block_shape::leaf ? leaf_room(block.size(), rules) : block.size()}, offset_{from} {}

  // False: that was the last one, or fault() says what is wrong with the entry at offset().
  [[nodiscard]] bool next(dir_entry_view& e) noexcept;
  [[nodiscard]] const char* fault() const noexcept { return fault_; }
  [[nodiscard]] std::uint32_t offset() const noexcept { return offset_; }

 private:
  [[nodiscard]] const char* check(const ext4_dir_entry& raw) const noexcept;

  std::span<const std::byte> block_;
  dir_rules rules_;
  std::size_t end_;
  std::uint32_t offset_;
  const char* fault_ = nullptr;
};

// What is wrong with BLOCK, or null.
struct dir_block_fault {
  const char* what = nullptr;
  std::uint32_t offset = 0;
  [[nodiscard]] explicit operator bool() const noexcept { return what != nullptr; }
};
[[nodiscard]] dir_block_fault check_dir_block(std::span<const std::byte> block, const dir_rules& rules, dir_block_shape shape) noexcept;

// Where a name stands, or nothing; FAULT says why the block could not be looked through.
struct found_entry {
  dir_entry_view entry;
  std::optional<std::uint32_t> previous;  // offset of the entry before it
};
[[nodiscard]] std::optional<found_entry> find_in_block(std::span<const std::byte> leaf, const dir_rules& rules, std::string_view name,
                                                       dir_block_fault& fault) noexcept;

// The first entry with room for a name of NAME_LEN bytes behind it.
[[nodiscard]] std::optional<dir_entry_view> find_room(std::span<const std::byte> leaf, const dir_rules& rules, std::size_t name_len,
                                                      dir_block_fault& fault) noexcept;
// Puts a name into the room that find_room found. TYPE is left out without the filetype feature.
void insert_entry(std::span<std::byte> leaf, const dir_rules& rules, const dir_entry_view& room, std::string_view name, ino_t inode,
                  std::uint8_t type) noexcept;
// Takes out what find_in_block found: the entry before it grows over it, its name is wiped.
void erase_entry(std::span<std::byte> leaf, const found_entry& found) noexcept;
// The entry at OFFSET is another inode's from now on.
void retarget_entry(std::span<std::byte> block, const dir_rules& rules, std::uint32_t offset, ino_t inode, std::uint8_t type) noexcept;

// An empty leaf: one unused entry, and the tail.
void init_leaf(std::span<std::byte> leaf, const dir_rules& rules) noexcept;
// The first block of a directory: . and .., and room.
void init_first_block(std::span<std::byte> leaf, const dir_rules& rules, ino_t self, ino_t parent) noexcept;
// Appends entries to a leaf one after the other; finish() gives the last one the rest of the block.
class leaf_packer {
 public:
  // Overwrites LEAF. Whatever is appended must not point into it.
  leaf_packer(std::span<std::byte> leaf, const dir_rules& rules) noexcept : leaf_{leaf}, rules_{rules} { init_leaf(leaf, rules); }
  void append(std::string_view name, ino_t inode, std::uint8_t type) noexcept;
  void finish() noexcept;

 private:
  std::span<std::byte> leaf_;
  dir_rules rules_;
  std::uint32_t end_ = 0;
  std::uint32_t last_ = 0;
};

// ft_ of a mode, DT_ of an ft_.
[[nodiscard]] std::uint8_t file_type_of(std::uint32_t mode) noexcept;
[[nodiscard]] unsigned dt_type_of(std::uint8_t file_type, const dir_rules& rules) noexcept;

// Bytes of a block as a struct, and back. They lie within it.
template <class T>
[[nodiscard]] T load_at(std::span<const std::byte> block, std::size_t offset) noexcept {
  XIP_DEBUG_ASSERT(offset <= block.size() && sizeof(T) <= block.size() - offset);
  T value;
  std::memcpy(&value, block.data() + offset, sizeof value);
  return value;
}

template <class T>
void store_at(std::span<std::byte> block, std::size_t offset, const T& value) noexcept {
  XIP_DEBUG_ASSERT(offset <= block.size() && sizeof(T) <= block.size() - offset);
  std::memcpy(block.data() + offset, &value, sizeof value);
}

}  // namespace xip::ext4lite
