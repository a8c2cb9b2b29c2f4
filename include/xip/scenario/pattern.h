// Data that says where it came from: each aligned 8-byte word of a file names the file, its own offset, and a generation. A wrong byte
// then tells whose it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <xip/base/units.h>

namespace xip::scenario {

// Who wrote a word. FILE is 1 to 4095, GENERATION 0 to 2047.
struct stamp {
  std::uint32_t file = 1;
  std::uint32_t generation = 0;
  friend constexpr bool operator==(stamp, stamp) noexcept = default;
};

// The word at byte OFFSET, a multiple of 8 below 16 TiB. Never zero.
[[nodiscard]] constexpr std::uint64_t pattern_word(loff_t offset, stamp who) noexcept {
  return static_cast<std::uint64_t>(who.file & 0xfff) << 52 | static_cast<std::uint64_t>(who.generation & 0x7ff) << 41 |
         static_cast<std::uint64_t>(offset) >> 3;
}
// The byte at OFFSET, any offset.
[[nodiscard]] constexpr std::byte pattern_byte(loff_t offset, stamp who) noexcept {
  return static_cast<std::byte>(pattern_word(offset & ~loff_t{7}, who) >> (8 * (static_cast<std::uint64_t>(offset) & 7)));
}

// The bytes of file offset OFFSET on. Neither end need be aligned.
void fill(std::span<std::byte> to, loff_t offset, stamp who) noexcept;

// What is wrong, for a person: the first bad byte, what it should have been and whose it is, and how many are bad.
struct difference {
  loff_t at;            // offset in the file of the first wrong byte
  std::uint64_t bytes;  // how many are wrong
  std::string expected;
  std::string found;
};
// Nothing: FOUND, read at file offset OFFSET, is what fill would have made.
[[nodiscard]] std::optional<difference> compare(std::span<const std::byte> found, loff_t offset, stamp expected);
[[nodiscard]] std::optional<difference> compare_zeros(std::span<const std::byte> found, loff_t offset);
[[nodiscard]] std::optional<difference> compare_bytes(std::span<const std::byte> found, loff_t offset, std::span<const std::byte> expected);
// Whose words these bytes are: "zeros", "file 3 generation 1 offset 4096", or the bytes in hexadecimal.
[[nodiscard]] std::string describe(std::span<const std::byte> bytes, loff_t offset);

}  // namespace xip::scenario
