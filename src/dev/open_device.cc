// From "memory:SIZE", "pmem:FILE" or "block:FILE" to a device.
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include <xip/dev/devices.h>

#include "dev/open_file.h"

namespace xip::dev {
namespace {

// "64M": a number with an optional K, M, G or T of 1024s.
std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{}) return std::nullopt;
  const std::string_view suffix{end, static_cast<std::size_t>(text.data() + text.size() - end)};
  if (suffix.empty()) return number;
  constexpr std::string_view letters = "KMGT";
  const std::size_t letter = letters.find(suffix.front() & ~0x20);
  if (suffix.size() != 1 || letter == letters.npos) return std::nullopt;
  const auto shift = static_cast<unsigned>(10 * (letter + 1));
  if (number > (~std::uint64_t{0} >> shift)) return std::nullopt;
  return number << shift;
}

}  // namespace

opened open_device(std::string_view spec, bool read_only) {
  const std::size_t colon = spec.find(':');
  const std::string_view kind = spec.substr(0, colon);
  const std::string_view rest = colon == spec.npos ? std::string_view{} : spec.substr(colon + 1);
  if (kind == "pmem" && !rest.empty()) return open_pmem(std::string{rest}, read_only);
  if (kind == "block" && !rest.empty()) return open_block(std::string{rest}, {.read_only = read_only});
  if (kind == "memory") {
    if (const auto size = parse_size(rest); size && *size != 0) return open_memory(*size);
  }
  return refuse(EINVAL, fmt::format("device \"{}\"", spec), "not one of memory:SIZE (as in memory:512M), pmem:FILE, block:FILE");
}

}  // namespace xip::dev
