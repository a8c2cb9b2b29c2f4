// One answer of a file system about where a stretch of a file lies. Linux: struct iomap, struct ext4_map_blocks.
#pragma once

#include <cstdint>

#include <xip/base/units.h>

namespace xip {

enum class extent_type : std::uint8_t {
  hole,       // no blocks; reads as zeros
  unwritten,  // blocks without contents; reads as zeros
  mapped,     // blocks with contents
};

inline constexpr std::uint8_t em_new = 1u << 0;    // allocated by this very call
inline constexpr std::uint8_t em_dirty = 1u << 1;  // metadata needed to reach it is not committed yet

// LEN blocks (at least one) from block LBLK of the file, at device block PBLK unless a hole.
struct extent_map {
  lblk_t lblk;
  std::uint32_t len = 0;
  pblk_t pblk;
  extent_type type = extent_type::hole;
  std::uint8_t flags = 0;
};

}  // namespace xip
