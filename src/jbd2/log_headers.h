// What is left in the log, whatever the super block says of it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <xip/base/result.h>

#include "jbd2/superblock.h"

namespace xip::jbd2 {

// CALL(block, header) for each block of the journal from FIRST to before END that begins like one of the log's own, until it answers false.
// EIO.
template <class Call>
[[nodiscard]] result<> for_each_header(const journal_place& at, std::uint32_t first, std::uint32_t end, Call&& call) {
  constexpr std::size_t batch = 32;
  while (first < end) {
    std::array<journal_header, batch> headers;
    std::array<dev::io_piece, batch> pieces;
    const std::size_t count = std::min<std::size_t>(batch, end - first);
    for (std::size_t i = 0; i < count; ++i)
      pieces[i] = {at.log.find(first + static_cast<std::uint32_t>(i)).value() << at.block_bits, reinterpret_cast<std::byte*>(&headers[i]),
                   sizeof(journal_header)};
    XIP_TRY(at.device.read_batch({pieces.data(), count}));
    for (const journal_header& h : std::span{headers}.first(count)) {
      const bool known = h.h_blocktype == descriptor_block || h.h_blocktype == commit_block || h.h_blocktype == revoke_block;
      if (h.h_magic == journal_magic && known && !call(first, h)) return {};
      ++first;
    }
  }
  return {};
}

}  // namespace xip::jbd2
