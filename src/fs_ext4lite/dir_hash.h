// The hash of a name, by which an indexed directory is ordered. Linux: fs/ext4/hash.c; Documentation/filesystems/ext4/directory.rst.
//
// Three functions, each in two forms: where char was signed when the file system was made, bytes from 0x80 on count as negative numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace xip::ext4lite {

struct ext4_sb_info;

struct dir_hash {
  std::uint32_t major = 0;  // what the index holds; even, the lowest bit there says "continued"
  std::uint32_t minor = 0;
  friend constexpr auto operator<=>(const dir_hash&, const dir_hash&) noexcept = default;
};

// VERSION: a hash_ number of format.h, the unsigned ones too. SEED: the super block's four words; all zero: the functions' own start.
// Nothing for a version that is not known here (siphash belongs to encryption and casefold).
[[nodiscard]] std::optional<dir_hash> hash_name(std::uint8_t version, std::span<const std::uint32_t, 4> seed,
                                                std::string_view name) noexcept;

// The hash that a name has in a directory whose root says VERSION (0 to 2), with SB's seed and kind of char.
[[nodiscard]] std::optional<dir_hash> hash_name(const ext4_sb_info& sb, std::uint8_t version, std::string_view name) noexcept;
// A directory's root may say so.
[[nodiscard]] constexpr bool hash_version_supported(std::uint8_t version) noexcept { return version <= 2; }

}  // namespace xip::ext4lite
