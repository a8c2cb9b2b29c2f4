// Bitmaps as ext4 keeps them: bit N is bit N % 8 of byte N / 8. Searched a 64-bit word at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace xip::ext4lite {

// SIZE bits to read. A bit counts as set if it is set in ALSO (host words; may be empty) too. BITS has a multiple of 8 bytes.
class bitmap_view {
 public:
  bitmap_view(std::span<const std::byte> bits, std::uint32_t size, std::span<const std::uint64_t> also = {}) noexcept
      : bits_{bits}, also_{also}, size_{size} {}

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] bool test(std::uint32_t n) const noexcept { return ((word(n / 64) >> (n % 64)) & 1) != 0; }
  // The first clear (set) bit at or after FROM; size() when there is none.
  [[nodiscard]] std::uint32_t next_clear(std::uint32_t from) const noexcept { return next(from, ~std::uint64_t{0}); }
  [[nodiscard]] std::uint32_t next_set(std::uint32_t from) const noexcept { return next(from, 0); }
  [[nodiscard]] std::uint32_t count_clear() const noexcept;

 private:
  [[nodiscard]] std::uint64_t word(std::size_t i) const noexcept {
    std::uint64_t w;
    std::memcpy(&w, bits_.data() + i * sizeof w, sizeof w);
    if constexpr (std::endian::native == std::endian::big) w = std::byteswap(w);
    return i < also_.size() ? w | also_[i] : w;
  }
  // The first bit at or after FROM that is set in word ^ FLIP.
  [[nodiscard]] std::uint32_t next(std::uint32_t from, std::uint64_t flip) const noexcept {
    if (from >= size_) return size_;
    const std::size_t words = (size_ + 63) / 64;
    std::uint64_t w = (word(from / 64) ^ flip) & (~std::uint64_t{0} << (from % 64));
    for (std::size_t i = from / 64;; w = word(i) ^ flip) {
      if (w != 0) return std::min(size_, static_cast<std::uint32_t>(i * 64 + static_cast<unsigned>(std::countr_zero(w))));
      if (++i == words) return size_;
    }
  }

  std::span<const std::byte> bits_;
  std::span<const std::uint64_t> also_;
  std::uint32_t size_;
};

inline std::uint32_t bitmap_view::count_clear() const noexcept {
  std::uint32_t count = 0;
  for (std::uint32_t at = next_clear(0); at < size_;) {
    const std::uint32_t end = next_set(at);
    count += end - at;
    at = next_clear(end);
  }
  return count;
}

// COUNT bits from FIRST.
struct bit_run {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

// The first run of at least WANT clear bits at or after FROM, cut to WANT; or the longest there is (count 0: none).
[[nodiscard]] inline bit_run find_clear_run(const bitmap_view& bits, std::uint32_t from, std::uint32_t want) noexcept {
  bit_run longest;
  for (std::uint32_t at = bits.next_clear(from); at < bits.size();) {
    const std::uint32_t end = bits.next_set(at);
    if (end - at >= want) return {at, want};
    if (end - at > longest.count) longest = {at, end - at};
    at = bits.next_clear(end);
  }
  return longest;
}

// COUNT bits of BITS from FIRST become VALUE; they lie inside.
inline void fill_bits(std::span<std::byte> bits, std::uint32_t first, std::uint32_t count, bool value) noexcept {
  const auto one = [&](std::uint32_t n) {
    const std::byte mask{static_cast<std::uint8_t>(1u << (n % 8))};
    bits[n / 8] = value ? bits[n / 8] | mask : bits[n / 8] & ~mask;
  };
  const std::uint32_t end = first + count;
  for (; first < end && first % 8 != 0; ++first) one(first);
  const std::uint32_t whole = (end - first) / 8;
  if (first < end && whole != 0) {
    std::memset(bits.data() + first / 8, value ? 0xFF : 0, whole);
    first += whole * 8;
  }
  for (; first < end; ++first) one(first);
}

}  // namespace xip::ext4lite
