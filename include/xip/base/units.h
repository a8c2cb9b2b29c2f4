// Units are types: a logical block, a device block, an inode number, a page index and a group do not mix.
// Bytes within a file are loff_t, a plain signed integer as in Linux; every conversion to or from blocks is a named function.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace xip {

// A number with a unit. Adding a count keeps the unit; the difference of two is a count.
template <class Tag, class Rep>
class unit {
 public:
  using rep = Rep;

  constexpr unit() noexcept = default;
  constexpr explicit unit(Rep value) noexcept : value_{value} {}

  [[nodiscard]] constexpr Rep value() const noexcept { return value_; }

  friend constexpr auto operator<=>(unit, unit) noexcept = default;
  friend constexpr unit operator+(unit a, Rep n) noexcept { return unit{static_cast<Rep>(a.value_ + n)}; }
  friend constexpr unit operator-(unit a, Rep n) noexcept { return unit{static_cast<Rep>(a.value_ - n)}; }
  friend constexpr Rep operator-(unit a, unit b) noexcept { return static_cast<Rep>(a.value_ - b.value_); }
  constexpr unit& operator+=(Rep n) noexcept {
    value_ = static_cast<Rep>(value_ + n);
    return *this;
  }
  constexpr unit& operator-=(Rep n) noexcept {
    value_ = static_cast<Rep>(value_ - n);
    return *this;
  }
  constexpr unit& operator++() noexcept {
    ++value_;
    return *this;
  }

 private:
  Rep value_ = 0;
};

using lblk_t = unit<struct lblk_tag, std::uint32_t>;    // block within a file, as ext4_lblk_t
using pblk_t = unit<struct pblk_tag, std::uint64_t>;    // block on the device, as ext4_fsblk_t
using ino_t = unit<struct ino_tag, std::uint32_t>;      // inode number
using group_t = unit<struct group_tag, std::uint32_t>;  // block group, as ext4_group_t
using pgoff_t = unit<struct pgoff_tag, std::uint64_t>;  // page within a file
using loff_t = std::int64_t;                            // byte within a file; negative only as an error of the caller

inline constexpr unsigned page_shift = 12;
inline constexpr std::size_t page_size = std::size_t{1} << page_shift;

// Byte <-> block and page. BITS is log2 of the block size; POS is not negative.
[[nodiscard]] constexpr lblk_t lblk_of(loff_t pos, unsigned bits) noexcept {
  return lblk_t{static_cast<std::uint32_t>(static_cast<std::uint64_t>(pos) >> bits)};
}
[[nodiscard]] constexpr loff_t pos_of(lblk_t block, unsigned bits) noexcept {
  return static_cast<loff_t>(static_cast<std::uint64_t>(block.value()) << bits);
}
[[nodiscard]] constexpr std::uint64_t bytes_of(pblk_t block, unsigned bits) noexcept { return block.value() << bits; }
[[nodiscard]] constexpr pgoff_t pgoff_of(loff_t pos) noexcept { return pgoff_t{static_cast<std::uint64_t>(pos) >> page_shift}; }
// How many blocks hold BYTES bytes.
[[nodiscard]] constexpr std::uint64_t blocks_for(std::uint64_t bytes, unsigned bits) noexcept {
  return (bytes >> bits) + ((bytes & ((std::uint64_t{1} << bits) - 1)) != 0 ? 1 : 0);
}

}  // namespace xip

template <class Tag, class Rep>
struct std::hash<xip::unit<Tag, Rep>> {
  std::size_t operator()(xip::unit<Tag, Rep> u) const noexcept { return std::hash<Rep>{}(u.value()); }
};
