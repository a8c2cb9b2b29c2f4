// Of version c1. The fingerprint is a hash of the whole name and one of the history's shape and the unit: 32 bits each. The content is p (what has arrived) or m
// (what is missing), the moment, and stretches of lines: how many lie between it and the one before, how long it is, how many stores of each line.
#include "crash/token.h"

#include <fmt/format.h>

#include "explore/lock_names.h"
#include "explore/random.h"
#include "explore/token_parts.h"

namespace xip::crash {
namespace {

constexpr std::string_view version = "c1";

std::uint32_t name_print(const token_owner& of) noexcept { return static_cast<std::uint32_t>(explore::hash_text(of.name)); }
std::uint32_t history_print(const token_owner& of) noexcept { return static_cast<std::uint32_t>(explore::mix(of.history + of.unit)); }

explore::bytes content_of(const medium_walk& w, const state_space& space, const std::vector<std::uint32_t>& arrived, bool missing) {
  explore::bytes content;
  explore::put_number(content, w.at().point);
  const std::span lines = w.in_flight();
  const auto count_of = [&](std::size_t number) -> std::uint32_t {
    const std::uint32_t place = space.place_of(lines[number]);
    if (place == state_space::none) return 0;
    return missing ? space.made(place) - arrived[place] : arrived[place] - space.surely(place);
  };
  std::size_t end = 0;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    const std::uint32_t count = count_of(at);
    if (count == 0) continue;
    std::size_t last = at + 1;
    while (last < lines.size() && count_of(last) == count) ++last;
    for (const std::uint64_t number : {std::uint64_t{at - end}, std::uint64_t{last - at}, std::uint64_t{count}})
      explore::put_number(content, number);
    end = last;
    at = last - 1;
  }
  return content;
}

}  // namespace

std::string format_token(const token_owner& of, const medium_walk& w, const state_space& space, const std::vector<std::uint32_t>& arrived) {
  explore::bytes print;
  explore::put_word(print, name_print(of));
  explore::put_word(print, history_print(of));
  const explore::bytes there = content_of(w, space, arrived, false), missing = content_of(w, space, arrived, true);
  return there.size() <= missing.size() ? explore::join_token(version, of.name, print, 'p', there)
                                        : explore::join_token(version, of.name, print, 'm', missing);
}

std::expected<named_state, std::string> parse_token(std::string_view text, const token_owner& expected) {
  const auto found = explore::split_token(text, version);
  if (!found) return std::unexpected{found.error()};
  if (found->print.size() != 8) return explore::malformed_at(found->print_at);
  if (explore::word_at(found->print, 0) != name_print(expected))
    return std::unexpected{fmt::format("the token is of program '{}', this is '{}'", found->name, expected.name)};
  if (explore::word_at(found->print, 4) != history_print(expected))
    return std::unexpected{
        fmt::format("the token is of another build of '{}', which wrote elsewhere, or of another atomic unit", found->name)};
  if (found->letter != 'p' && found->letter != 'm') return explore::malformed_at(found->content_at);
  explore::number_reader numbers{found->content};
  named_state named{.point = numbers.next(), .missing = found->letter == 'm', .stretches = {}};
  while (numbers.fine() && !numbers.at_end()) named.stretches.push_back({numbers.next(), numbers.next(), numbers.next()});
  if (!numbers.fine()) return explore::malformed_at(found->content_at);
  return named;
}

bool state_of(const named_state& named, const medium_walk& w, const state_space& space, std::vector<std::uint32_t>& arrived) {
  arrived.resize(space.lines().size());
  for (std::uint32_t place = 0; place < arrived.size(); ++place) arrived[place] = named.missing ? space.made(place) : space.surely(place);
  const std::span lines = w.in_flight();
  std::size_t at = 0;
  for (const named_state::stretch& s : named.stretches) {
    if (s.skip > lines.size() - at || s.length > lines.size() - at - s.skip) return false;
    at += s.skip;
    for (const std::size_t end = at + s.length; at < end; ++at) {
      if (s.count > w.made(lines[at]) - w.surely(lines[at])) return false;
      const std::uint32_t place = space.place_of(lines[at]);
      if (place == state_space::none) continue;
      const auto count = static_cast<std::uint32_t>(s.count);
      arrived[place] = named.missing ? space.made(place) - count : space.surely(place) + count;
    }
  }
  return true;
}

}  // namespace xip::crash
