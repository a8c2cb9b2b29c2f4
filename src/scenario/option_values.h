// Values that options of several commands take.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace xip::scenario {

// What is wrong with an option, for a person; nothing: it is fine.
using problem = std::optional<std::string>;

template <class Number>
[[nodiscard]] bool read_number(std::string_view text, Number& to) {
  const char* end = text.data() + text.size();
  const auto [stopped, code] = std::from_chars(text.data(), end, to);
  return code == std::errc{} && stopped == end;
}

[[nodiscard]] inline problem read_positive(const char* name, std::string_view text, auto& to) {
  if (read_number(text, to) && to > 0) return std::nullopt;
  return fmt::format("{} takes a positive number, not '{}'", name, text);
}

// "I/N": the Ith of N parts, counted from 1.
[[nodiscard]] inline problem read_shard(std::string_view text, unsigned& part, unsigned& parts) {
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos && read_number(text.substr(0, slash), part) && read_number(text.substr(slash + 1), parts) &&
      part >= 1 && part <= parts)
    return std::nullopt;
  return fmt::format("--shard takes I/N with I from 1 to N, not '{}'", text);
}

}  // namespace xip::scenario
