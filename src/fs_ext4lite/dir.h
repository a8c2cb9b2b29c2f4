// Between dir.cc, dir_iterate.cc, htree*.cc and the name hooks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include <xip/base/result.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/dir_block.h"
#include "fs_ext4lite/dir_hash.h"
#include "fs_ext4lite/dx_block.h"
#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite {

// ---- dir.cc ------------------------------------------------------------------------------------------------------------------------
// All of it under the directory's i_rwsem: shared for reading, exclusive for changes.

// It has an index, and the file system knows what that is.
[[nodiscard]] bool is_dx(const ext4_inode_info& dir) noexcept;
// How many blocks it has. EUCLEAN: a size that cannot be.
[[nodiscard]] result<std::uint32_t> dir_block_count(const ext4_inode_info& dir);
// What BLOCK, block LBLK of DIR, must be read as.
[[nodiscard]] dir_block_shape shape_of(const ext4_inode_info& dir, lblk_t lblk, std::span<const std::byte> block) noexcept;
// As dir_read_block; a hole is corruption.
[[nodiscard]] result<dev::buffer_ref> dir_block(ext4_inode_info& dir, lblk_t lblk);
// The same where only names matter: null for a block of the index, whatever that holds.
[[nodiscard]] result<dev::buffer_ref> dir_names(ext4_inode_info& dir, lblk_t lblk);
// FAULT was found in block LBLK.
[[nodiscard]] std::unexpected<error> bad_dir_block(const ext4_inode_info& dir, lblk_t lblk, const dev::buffer& b,
                                                   const dir_block_fault& fault);

struct dir_entry_location {
  dev::buffer_ref buffer;
  lblk_t lblk;
  found_entry found;
};
// Where NAME stands, or nothing. A broken index is reported, and the directory searched block by block.
[[nodiscard]] result<std::optional<dir_entry_location>> dir_locate(ext4_inode_info& dir, std::string_view name);
// Nothing has changed in the directory since it was located. credits: 1 each.
[[nodiscard]] result<> dir_erase(handle& h, ext4_inode_info& dir, const dir_entry_location& where);
[[nodiscard]] result<> dir_retarget(handle& h, ext4_inode_info& dir, const dir_entry_location& where, ino_t ino, std::uint32_t mode);
// What .. says.
[[nodiscard]] result<ino_t> dir_parent(ext4_inode_info& dir);

// A name to be added.
struct new_entry {
  std::string_view name;
  ino_t inode;
  std::uint8_t type;
};
// Adds to one leaf. False: no room there.
[[nodiscard]] result<bool> add_to_leaf(handle& h, ext4_inode_info& dir, lblk_t lblk, dev::buffer& leaf, const new_entry& e);
// Contents of a block of DIR, to be written; KIND decides its checksum.
[[nodiscard]] result<std::span<std::byte>> dir_write_access(handle& h, ext4_inode_info& dir, block_kind kind, dev::buffer& b);

// Blocks that DIR would need to hold NAME too. i_rwsem.
[[nodiscard]] result<std::uint32_t> dir_blocks_to_add(ext4_inode_info& dir, std::string_view name);

// ---- htree.cc: looking up ------------------------------------------------------------------------------------------------------------

// One index block on the way to a leaf.
struct dx_frame {
  dev::buffer_ref buffer;
  lblk_t lblk;
  dir_block_shape shape = dir_block_shape::dx_root;
  std::uint32_t at = 0;  // the entry that the way goes through

  [[nodiscard]] dx_view view() const noexcept { return {buffer->data(), shape}; }
  [[nodiscard]] lblk_t child() const noexcept { return view().block(at); }
};
struct dx_path {
  std::array<dx_frame, htree_max_levels_large> frame;
  std::uint32_t bottom = 0;  // frame[bottom] names leaves
  std::uint8_t hash_version = 0;

  [[nodiscard]] dx_frame& leaf_parent() noexcept { return frame[bottom]; }
  [[nodiscard]] lblk_t leaf() const noexcept { return frame[bottom].child(); }
};

// Levels of index that a directory may have.
[[nodiscard]] std::uint32_t htree_max_levels(const ext4_sb_info& sb) noexcept;
// The root, checked. EUCLEAN: it makes no sense.
[[nodiscard]] result<dx_path> dx_open(ext4_inode_info& dir);
// The way from the root to the leaf where names of hash MAJOR begin. EUCLEAN: some index block on it makes no sense.
[[nodiscard]] result<dx_path> dx_probe(ext4_inode_info& dir, std::uint32_t major);
// The same for NAME, whose hash goes to HASH.
[[nodiscard]] result<dx_path> dx_probe(ext4_inode_info& dir, std::string_view name, dir_hash& hash);
// On to the next leaf. False: there is none. FIRST_HASH: its hash in the index, with the bit that says "continued".
[[nodiscard]] result<bool> dx_next_leaf(ext4_inode_info& dir, dx_path& path, std::uint32_t& first_hash);
// A leaf of the index; anything else in block LBLK is corruption.
[[nodiscard]] result<dev::buffer_ref> dx_leaf(ext4_inode_info& dir, lblk_t lblk);
// NAME through the index at PATH.
[[nodiscard]] result<std::optional<dir_entry_location>> htree_locate(ext4_inode_info& dir, dx_path& path, const dir_hash& hash,
                                                                     std::string_view name);

// ---- htree_insert.cc -----------------------------------------------------------------------------------------------------------------

[[nodiscard]] result<> htree_add(handle& h, ext4_inode_info& dir, const new_entry& e);
// A directory of one block, which is full, gets an index; its names move to a second block. Linux: make_indexed_dir.
[[nodiscard]] result<> htree_convert(handle& h, ext4_inode_info& dir);

}  // namespace xip::ext4lite
