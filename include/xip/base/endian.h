// Integers as they lie on disk: byte arrays with an order, alignment 1, so that a format struct has no padding.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace xip {

template <std::unsigned_integral Rep, std::endian Order>
class on_disk {
 public:
  constexpr on_disk() noexcept = default;
  constexpr on_disk(Rep value) noexcept { store(value); }
  constexpr on_disk& operator=(Rep value) noexcept {
    store(value);
    return *this;
  }
  [[nodiscard]] constexpr operator Rep() const noexcept { return load(); }

  [[nodiscard]] constexpr Rep load() const noexcept {
    Rep value = std::bit_cast<Rep>(bytes_);
    if constexpr (Order != std::endian::native) value = std::byteswap(value);
    return value;
  }
  constexpr void store(Rep value) noexcept {
    if constexpr (Order != std::endian::native) value = std::byteswap(value);
    bytes_ = std::bit_cast<storage>(value);
  }

 private:
  struct storage {
    std::uint8_t byte[sizeof(Rep)];
  };
  storage bytes_{};
};

using le16 = on_disk<std::uint16_t, std::endian::little>;
using le32 = on_disk<std::uint32_t, std::endian::little>;
using le64 = on_disk<std::uint64_t, std::endian::little>;
using be16 = on_disk<std::uint16_t, std::endian::big>;
using be32 = on_disk<std::uint32_t, std::endian::big>;
using be64 = on_disk<std::uint64_t, std::endian::big>;

static_assert(sizeof(le16) == 2 && sizeof(le32) == 4 && sizeof(le64) == 8);
static_assert(alignof(le16) == 1 && alignof(le32) == 1 && alignof(le64) == 1);

}  // namespace xip
