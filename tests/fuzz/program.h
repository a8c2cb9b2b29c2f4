// The bytes of a program, read as what its operations need. At its end everything is zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <xip/base/units.h>

namespace xip::fuzz {

class program_reader {
 public:
  explicit program_reader(std::span<const std::byte> bytes) noexcept : bytes_{bytes} {}

  [[nodiscard]] bool at_end() const noexcept { return bytes_.empty(); }
  std::uint8_t byte() noexcept {
    if (bytes_.empty()) return 0;
    const auto b = static_cast<std::uint8_t>(bytes_.front());
    bytes_ = bytes_.subspan(1);
    return b;
  }
  std::uint32_t word() noexcept {
    const std::uint32_t low = byte();
    return low | std::uint32_t{byte()} << 8;
  }
  // Less than N.
  std::uint32_t below(std::uint32_t n) noexcept { return n == 0 ? 0 : (n <= 256 ? byte() : word()) % n; }
  template <class T, std::size_t N>
  const T& one_of(const T (&choices)[N]) noexcept {
    return choices[below(N)];
  }
  // Most are in the first blocks of a file; some at its limits.
  loff_t offset() noexcept {
    const std::uint32_t w = word();
    constexpr loff_t far[] = {-1,        0x7FFFFFFF,    0xFFFFF000,  0xFFFFFFFF000, 0xFFFFFFFFFFF,
                              INT64_MAX, 0x3FFFFFFFFFF, 0x404404000, 0x40C0000,     0xFFFFFFFE000};
    const std::uint32_t small = w & 0x0FFF;
    switch (w >> 12) {
      case 0:
      case 1:
      case 2:
        return small;
      case 3:
      case 4:
      case 5:
      case 6:
        return loff_t{small} * 1024;
      case 7:
      case 8:
      case 9:
        return loff_t{small} * 4096 - 1;
      case 10:
      case 11:
        return loff_t{small} * 65536;
      case 12:
        return loff_t{1} << (small % 62);
      case 13:
        return far[small % std::size(far)];
      default:
        return loff_t{small % 64} * 1024;
    }
  }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace xip::fuzz
