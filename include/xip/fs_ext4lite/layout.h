// What lies where in an ext4 image, for those who look at its bytes: reports of crashes above all.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include <xip/dev/device.h>

namespace xip {

class ext4_layout {
 public:
  enum class part : std::uint8_t { super_block, group_descriptors, block_bitmap, inode_bitmap, inode_table, journal, other };
  // Where a byte of the device lies.
  struct place {
    part what = part::other;   // other: files, directories, what belongs to them, free blocks
    std::uint64_t number = 0;  // of the group; inode_table: of the inode; journal: of its block; other: of the block
    std::uint32_t offset = 0;  // bytes, in that
  };

  // The error: why DEVICE is no ext4 file system that can be looked at. It is only read.
  [[nodiscard]] static std::expected<ext4_layout, std::string> read(dev::device& device);

  [[nodiscard]] std::uint32_t block_size() const noexcept { return block_size_; }  // bytes
  [[nodiscard]] bool has_metadata_csum() const noexcept { return checksums_; }
  // Of byte OFFSET of the device.
  [[nodiscard]] place at(std::uint64_t offset) const noexcept;
  // "inode 12, byte 40", "journal block 3, byte 0"
  [[nodiscard]] std::string name_of(std::uint64_t offset) const;

 private:
  struct stretch {
    std::uint64_t first, count;  // blocks
    part what;
    std::uint64_t number;  // of what its first byte lies in
  };
  static constexpr std::uint64_t super_offset = 1024;

  void add(std::uint64_t first, std::uint64_t count, part what, std::uint64_t number) {
    stretches_.push_back({first, count, what, number});
  }

  std::uint32_t block_size_ = 0, inode_size_ = 0;
  bool checksums_ = false;
  std::vector<stretch> stretches_;  // by first block, none over another
};

}  // namespace xip
