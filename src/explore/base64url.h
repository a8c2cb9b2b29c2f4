// Bytes as characters that need no quoting anywhere (RFC 4648, section 5), and numbers as bytes, the small ones as one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xip::explore {

inline constexpr std::string_view base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

using bytes = std::vector<std::uint8_t>;

[[nodiscard]] inline std::string encode_base64(const bytes& from) {
  std::string text;
  std::uint32_t bits = 0, held = 0;
  for (const std::uint8_t byte : from) {
    bits = bits << 8 | byte;
    for (held += 8; held >= 6; held -= 6) text += base64url[(bits >> (held - 6)) & 63];
  }
  if (held != 0) text += base64url[(bits << (6 - held)) & 63];
  return text;
}

// TEXT has been checked to have none but its characters.
[[nodiscard]] inline bytes decode_base64(std::string_view text) {
  bytes to;
  std::uint32_t bits = 0, held = 0;
  for (const char c : text) {
    bits = bits << 6 | static_cast<std::uint32_t>(base64url.find(c));
    held += 6;
    if (held < 8) continue;
    held -= 8;
    to.push_back(static_cast<std::uint8_t>(bits >> held));
  }
  return to;
}

inline void put_number(bytes& to, std::uint64_t number) {
  for (; number >= 128; number >>= 7) to.push_back(static_cast<std::uint8_t>(number | 128));
  to.push_back(static_cast<std::uint8_t>(number));
}

// Reads what put_number wrote. Past the end numbers are zero and FINE is false.
class number_reader {
 public:
  explicit number_reader(const bytes& from) noexcept : from_{from} {}

  [[nodiscard]] std::uint64_t next() noexcept {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && at_ < from_.size(); shift += 7) {
      const std::uint8_t byte = from_[at_++];
      number |= std::uint64_t{byte & 127u} << shift;
      if (byte < 128) return number;
    }
    fine_ = false;
    return 0;
  }
  [[nodiscard]] std::size_t at() const noexcept { return at_; }  // the next byte
  [[nodiscard]] bool at_end() const noexcept { return at_ == from_.size(); }
  [[nodiscard]] bool fine() const noexcept { return fine_; }

 private:
  const bytes& from_;
  std::size_t at_ = 0;
  bool fine_ = true;
};

}  // namespace xip::explore
