// tinyfs: a file system to read at one go. It has one directory, its files live in memory and are 4 KiB long, always.
//
// Its locks are not those of ext4: a file has no lock of its own, each of its four stripes has one. A call takes the locks of all stripes
// that it touches before it moves a byte, the lowest first, and gives them back when the last byte has moved. So calls on different
// parts of a file never wait for each other, and still each call is one instant for everybody else.
#pragma once

#include <xip/vfs/super_block.h>

namespace tinyfs {

inline constexpr xip::loff_t file_bytes = 4096;

// Mount options:
//   mistake=hand_over_hand   a call lets go of a stripe before it takes the next one: reads and writes tear
//   mistake=any_order        a write takes its stripes the highest first: it can meet a read half-way, and both wait for ever
[[nodiscard]] const xip::vfs::file_system_type& type() noexcept;

}  // namespace tinyfs
