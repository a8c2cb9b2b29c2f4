// Checksums of ext4: crc32c (metadata_csum) and crc16 (group descriptors of uninit_bg).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace xip {

// CRC-32C (Castagnoli) of DATA, continued from SEED; neither SEED nor the result is inverted, as ext4 stores it
// (an ext4 chain starts from ~0). Source: ext4's crc32c_le convention; computed by ISA-L.
[[nodiscard]] std::uint32_t crc32c(std::uint32_t seed, std::span<const std::byte> data) noexcept;

// CRC-16 with the reflected polynomial 0x8005, continued from SEED (ext4 starts from 0xFFFF).
[[nodiscard]] std::uint16_t crc16(std::uint16_t seed, std::span<const std::byte> data) noexcept;

}  // namespace xip
