// A replay token: one word that names one state at one moment of one program.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "crash/space.h"
#include "crash/walk.h"

namespace xip::crash {

// What a token belongs to. Anywhere else its numbers would mean another state.
struct token_owner {
  std::string_view name;
  std::uint64_t history;  // its shape
  std::uint32_t unit;
};

// How many stores have arrived of each line in flight at moment POINT.
struct named_state {
  std::size_t point;
  // Runs of lines in their order, each behind those before it, whose stores have all arrived but for COUNT (or of which COUNT have, and of the others none).
  struct stretch {
    std::uint64_t skip, length, count;
  };
  bool missing;  // the runs say what is missing
  std::vector<stretch> stretches;
};

// Tells what has arrived or what is missing, whichever is shorter. Counts all lines in flight, also those whose stores change nothing: which these
// are may depend on the clock.
[[nodiscard]] std::string format_token(const token_owner& of, const medium_walk& w, const state_space& space,
                                       const std::vector<std::uint32_t>& arrived);
// What is wrong with it, as a person needs to read it.
[[nodiscard]] std::expected<named_state, std::string> parse_token(std::string_view text, const token_owner& expected);
// At the moment where W stands. False: there is no such state.
[[nodiscard]] bool state_of(const named_state& named, const medium_walk& w, const state_space& space, std::vector<std::uint32_t>& arrived);

}  // namespace xip::crash
