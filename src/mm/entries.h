// Between entries.cc and the others of this room.
#pragma once

#include <cstddef>

#include <xip/mm/page_table.h>

namespace xip::mm {

// BYTES bytes at OFFSET of the page that E maps, to MEMORY, or from it if WRITE.
void move_page_bytes(const pte& e, std::size_t offset, std::byte* memory, std::size_t bytes, bool write) noexcept;

}  // namespace xip::mm
