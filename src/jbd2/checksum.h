// Checksums of a journal's blocks (csum_v2, csum_v3): crc32c, from the journal's UUID on. Linux: fs/jbd2/commit.c, recovery.c, journal.c.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "jbd2/format.h"

namespace xip::jbd2 {

// What the checksums of all blocks but the super block start from.
[[nodiscard]] std::uint32_t checksum_seed(const journal_superblock& jsb) noexcept;
// Of JSB with 0 in its s_checksum.
[[nodiscard]] std::uint32_t superblock_checksum(const journal_superblock& jsb) noexcept;
// Of BLOCK with 0 in the four bytes at FIELD.
[[nodiscard]] std::uint32_t block_checksum(std::uint32_t seed, std::span<const std::byte> block, std::size_t field) noexcept;
// Of a metadata block as the log has it, in transaction SEQUENCE.
[[nodiscard]] std::uint32_t data_checksum(std::uint32_t seed, std::uint32_t sequence, std::span<const std::byte> block) noexcept;

}  // namespace xip::jbd2
