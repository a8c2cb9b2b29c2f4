#include "explore/token_parts.h"

#include <array>

#include <fmt/format.h>

#include "explore/lock_names.h"

namespace xip::explore {
namespace {

constexpr std::size_t max_name = 40;
constexpr std::size_t check_bytes = 3;
constexpr std::size_t parts = 5;

std::string shown_name(std::string_view name) {
  std::string shown{name.substr(0, max_name)};
  for (char& c : shown)
    if (c <= ' ' || c > '~' || c == '.' || c == '\'' || c == '"' || c == '\\' || c == '$' || c == '`') c = '_';
  return shown;
}

std::string check_of(std::string_view text) {
  const std::uint64_t h = hash_text(text);
  bytes check;
  for (unsigned i = 0; i < check_bytes; ++i) check.push_back(static_cast<std::uint8_t>(h >> (8 * i + 20)));
  return encode_base64(check);
}

}  // namespace

void put_word(bytes& to, std::uint32_t word) {
  for (unsigned shift = 0; shift < 32; shift += 8) to.push_back(static_cast<std::uint8_t>(word >> shift));
}

std::uint32_t word_at(const bytes& from, std::size_t at) noexcept {
  std::uint32_t word = 0;
  for (unsigned i = 0; i < 4; ++i) word |= std::uint32_t{from[at + i]} << (8 * i);
  return word;
}

std::unexpected<std::string> malformed_at(std::size_t at) {
  return std::unexpected{fmt::format("the token is malformed at character {}", at + 1)};
}

std::string join_token(std::string_view version, std::string_view name, const bytes& print, char letter, const bytes& content) {
  const std::string text = fmt::format("{}.{}.{}.{}{}", version, shown_name(name), encode_base64(print), letter, encode_base64(content));
  return text + "." + check_of(text);
}

std::expected<token_parts, std::string> split_token(std::string_view text, std::string_view version) {
  std::array<std::string_view, parts> part;
  std::array<std::size_t, parts> start{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < parts; ++i) {
    const std::size_t end = i + 1 < parts ? text.find('.', at) : text.size();
    if (end == std::string_view::npos) return malformed_at(text.size());
    part[i] = text.substr(at, end - at);
    start[i] = at;
    if (i == 0 && part[0] != version)
      return std::unexpected{fmt::format("the token is of version '{}', this program reads '{}'", part[0], version)};
    const std::size_t wrong = i < 2 ? std::string_view::npos : part[i].find_first_not_of(base64url);
    if (wrong != std::string_view::npos) return malformed_at(at + wrong);
    at = end + 1;
  }
  if (part[4] != check_of(text.substr(0, start[4] - 1)))
    return std::unexpected{std::string{"the token is damaged: its end does not fit the rest"}};
  if (part[3].empty()) return malformed_at(start[3]);
  return token_parts{std::string{part[1]}, decode_base64(part[2]), part[3][0], decode_base64(part[3].substr(1)), start[2], start[3]};
}

}  // namespace xip::explore
