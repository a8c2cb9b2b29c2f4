// Tables of a block map and what their entries cover: between indirect.cc and indirect_allocate.cc.
#pragma once

#include <cstdint>

#include <xip/base/result.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// A table of block numbers: i_block, or an indirect block.
class pointers {
 public:
  explicit pointers(const std::byte* base) noexcept : base_{base} {}
  [[nodiscard]] std::uint32_t at(std::uint32_t i) const noexcept { return reinterpret_cast<const le32*>(base_)[i]; }

 private:
  const std::byte* base_;
};

[[nodiscard]] inline pointers root_of(const ext4_inode_info& inode) noexcept {
  return pointers{reinterpret_cast<const std::byte*>(inode.i_data)};
}
[[nodiscard]] inline std::uint32_t per_block(const ext4_inode_info& inode) noexcept { return inode.i_sb.s_blocksize / sizeof(le32); }

// How many blocks of the file a pointer covers that has LEVELS indirect blocks below it (0: a data block).
[[nodiscard]] inline std::uint64_t span_of(std::uint64_t pointers_per_block, std::uint32_t levels) noexcept {
  std::uint64_t span = 1;
  while (levels-- != 0) span *= pointers_per_block;
  return span;
}

// One of the 15 words of i_block: what it covers.
struct root_slot {
  std::uint32_t index;
  std::uint32_t levels;  // indirect blocks between it and the data
  std::uint64_t first;   // first block of the file
  std::uint64_t span;
};
[[nodiscard]] inline root_slot slot_at(std::uint64_t pointers_per_block, std::uint32_t index) noexcept {
  if (index < ndir_blocks) return {index, 0, index, 1};
  std::uint64_t first = ndir_blocks;
  for (std::uint32_t i = ind_block; i < index; ++i) first += span_of(pointers_per_block, i - ndir_blocks + 1);
  return {index, index - ndir_blocks + 1, first, span_of(pointers_per_block, index - ndir_blocks + 1)};
}

// The word of i_block that covers LBLK. EFBIG.
[[nodiscard]] result<root_slot> slot_of(const ext4_inode_info& inode, lblk_t lblk) noexcept;
// COUNT blocks from BLOCK may be a file's. EUCLEAN; LBLK is for the message.
[[nodiscard]] result<> check_pointer(const ext4_inode_info& inode, std::uint64_t block, std::uint32_t count, std::uint64_t lblk);
// The indirect block BLOCK. EUCLEAN, EIO, ENOMEM.
[[nodiscard]] result<dev::buffer_ref> read_pointers(const ext4_inode_info& inode, std::uint32_t block, std::uint64_t lblk);
// Entries of TABLE from I on, at most LIMIT of them, that are all holes, or all data blocks in a row.
[[nodiscard]] std::uint32_t run_length(const pointers& table, std::uint32_t i, std::uint32_t limit) noexcept;

}  // namespace xip::ext4lite
