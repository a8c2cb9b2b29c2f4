#include "sizes.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

namespace xip::tool {
namespace {

constexpr std::string_view unit_letters = "KMGTPE";

// The factor a suffix stands for; nothing if it is none.
std::optional<std::int64_t> factor_of(std::string_view suffix) noexcept {
  if (suffix.empty() || suffix == "B") return 1;
  const char letter = suffix[0] == 'k' ? 'K' : suffix[0];
  const std::size_t power = unit_letters.find(letter);
  if (power == std::string_view::npos) return std::nullopt;
  const std::string_view rest = suffix.substr(1);
  const bool decimal = rest == "B";
  if (!rest.empty() && rest != "iB" && !decimal) return std::nullopt;
  std::int64_t factor = 1;
  for (std::size_t i = 0; i <= power; ++i) factor *= decimal ? 1000 : 1024;
  return factor;
}

}  // namespace

std::optional<std::int64_t> parse_size(std::string_view text) noexcept {
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || number < 0) return std::nullopt;
  const auto factor = factor_of(text.substr(static_cast<std::size_t>(end - text.data())));
  std::int64_t bytes = 0;
  if (!factor || __builtin_mul_overflow(number, *factor, &bytes)) return std::nullopt;
  return bytes;
}

std::optional<std::int64_t> parse_new_size(std::string_view text, std::int64_t current) noexcept {
  const char relation = text.empty() ? '\0' : text[0];
  if (std::string_view{"+-<>/%"}.find(relation) == std::string_view::npos) return parse_size(text);
  const auto bytes = parse_size(text.substr(1));
  if (!bytes) return std::nullopt;
  std::int64_t size = 0;
  switch (relation) {
    case '+':
      return __builtin_add_overflow(current, *bytes, &size) ? std::nullopt : std::optional{size};
    case '-':
      return std::max<std::int64_t>(current - *bytes, 0);
    case '<':
      return std::min(current, *bytes);
    case '>':
      return std::max(current, *bytes);
    default:
      break;
  }
  if (*bytes == 0) return std::nullopt;
  const std::int64_t down = current - current % *bytes;
  if (relation == '/' || down == current) return down;
  return __builtin_add_overflow(down, *bytes, &size) ? std::nullopt : std::optional{size};
}

std::string human_size(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{}", bytes);
  auto value = static_cast<double>(bytes);
  std::size_t power = 0;
  while (value >= 1024 && power < unit_letters.size()) {
    value /= 1024;
    ++power;
  }
  const char letter = unit_letters[power - 1];
  return value < 10 ? fmt::format("{:.1f}{}", value, letter) : fmt::format("{:.0f}{}", value, letter);
}

}  // namespace xip::tool
