// Blocks that several inodes are about to give back. Each has one owner among them, or the second one would free what is free by then, in the middle of a mount
// that has changed the image already. Looked at before the first of them is cleaned up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <unordered_map>
#include <vector>

#include <xip/base/result.h>
#include <xip/base/units.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

class block_claims {
 public:
  explicit block_claims(ext4_sb_info& sb) noexcept : sb_{sb}, claimed_{&sb.memory()}, attributes_{&sb.memory()} {}

  // COUNT blocks from FIRST are INODE's: a file's may lie there, the bitmap says that they are in use, and nobody has claimed one of them. EUCLEAN, EIO. bad_alloc.
  [[nodiscard]] result<> claim(const ext4_inode_info& inode, pblk_t first, std::uint32_t count);
  // INODE's attributes lie in BLOCK, which several may share. EUCLEAN, EIO. bad_alloc.
  [[nodiscard]] result<> share(const ext4_inode_info& inode, pblk_t block);
  // When all have been heard: no attribute block was claimed as well, or is given up by more inodes than it says. EUCLEAN, EIO.
  [[nodiscard]] result<> settle();

 private:
  using group_bits = std::pmr::vector<std::byte>;

  [[nodiscard]] result<> check_in_use(const ext4_inode_info& inode, pblk_t first, std::uint32_t count);
  [[nodiscard]] result<> claim_in_group(const ext4_inode_info& inode, group_t g, pblk_t first, std::uint32_t count);
  [[nodiscard]] bool is_claimed(pblk_t block) const;

  ext4_sb_info& sb_;
  std::pmr::unordered_map<std::uint32_t, group_bits> claimed_;  // as a block bitmap, of the groups that were met
  std::pmr::map<std::uint64_t, std::uint32_t> attributes_;      // how many inodes give each attribute block up
};

}  // namespace xip::ext4lite
