// The orphan file, of images with the feature orphan_file: inodes that a crash must not leave half done, by number, each in a slot of its own, so that none
// of them has to know another. Linux: ext4_orphan_info and its functions (fs/ext4/orphan.c).
//
// Its blocks are mke2fs's: the file neither grows nor shrinks, and what finds no slot goes onto the list that begins in the super block (orphan.cc).
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/dev/buffer_cache.h>

namespace xip::ext4lite {

class handle;
struct ext4_sb_info;

inline constexpr loff_t orphan_file_bytes_max = loff_t{8} << 20;  // all of it is kept in memory. Linux has the same limit
inline constexpr std::uint32_t no_orphan_slot = ~0u;

// Its blocks in memory, held as long as the mount may write. Slots are counted through all of them; under s_orphan_lock.
class orphan_file {
 public:
  explicit orphan_file(std::pmr::memory_resource& memory) noexcept : blocks_{&memory} {}

  // The next of its blocks, which has been checked. bad_alloc.
  void append(dev::buffer_ref block);

  [[nodiscard]] std::uint32_t slots() const noexcept;
  [[nodiscard]] bool empty() const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> free_slot() const noexcept;
  // The inode number that stands in SLOT; 0: none.
  [[nodiscard]] std::uint32_t number_in(std::uint32_t slot) const noexcept;
  // NUMBER into SLOT, 0 takes out what is there. credits: 1.
  [[nodiscard]] result<> put(handle& h, std::uint32_t slot, std::uint32_t number);
  // "slot 3 of block 2328"
  [[nodiscard]] std::string place(std::uint32_t slot) const;

 private:
  struct one_block {
    dev::buffer_ref buffer;
    std::uint32_t free;  // slots
  };
  struct position {
    std::size_t block;
    std::size_t offset;
  };
  [[nodiscard]] position position_of(std::uint32_t slot) const noexcept;

  std::pmr::vector<one_block> blocks_;
  std::uint32_t per_block_ = 0;
};

// The file that the super block names, whole, or of an image without the feature an empty one, becomes s_orphan_file. What makes no sense is refused
// (EUCLEAN) with a MESSAGE that says where. EIO, ENOMEM. Takes s_orphan_lock.
[[nodiscard]] result<> load_orphan_file(ext4_sb_info& sb, std::string& message);

}  // namespace xip::ext4lite
