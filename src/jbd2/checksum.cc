#include "jbd2/checksum.h"

#include <array>

#include <xip/base/crc.h>

namespace xip::jbd2 {

std::uint32_t checksum_seed(const journal_superblock& jsb) noexcept { return crc32c(~0u, std::as_bytes(std::span{jsb.s_uuid})); }

std::uint32_t superblock_checksum(const journal_superblock& jsb) noexcept {
  return block_checksum(~0u, std::as_bytes(std::span{&jsb, 1}), offsetof(journal_superblock, s_checksum));
}

std::uint32_t block_checksum(std::uint32_t seed, std::span<const std::byte> block, std::size_t field) noexcept {
  constexpr std::array<std::byte, sizeof(be32)> nothing{};
  const std::uint32_t before = crc32c(crc32c(seed, block.first(field)), nothing);
  return crc32c(before, block.subspan(field + nothing.size()));
}

std::uint32_t data_checksum(std::uint32_t seed, std::uint32_t sequence, std::span<const std::byte> block) noexcept {
  const be32 number{sequence};
  return crc32c(crc32c(seed, std::as_bytes(std::span{&number, 1})), block);
}

}  // namespace xip::jbd2
