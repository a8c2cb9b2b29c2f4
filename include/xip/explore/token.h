// A replay token: one word of at most 200 printable characters that names one schedule of one build of one program.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <xip/explore/strategy.h>

namespace xip::explore {

inline constexpr std::size_t max_token_bytes = 200;

// What a token belongs to. Anywhere else its numbers would mean another schedule.
struct fingerprint {
  std::string program;
  std::uint32_t tasks;  // the names of its tasks, and where they may be switched
  std::uint32_t build;
};

// Of the running program: the build ids of its file and of the one this library lies in; where a linker gave none, the version of this
// library and its points.
[[nodiscard]] std::uint32_t build_fingerprint();

// A schedule: its deviations from the usual one; or, where those are too many for a token, how a strategy came to it.
struct token {
  std::vector<deviation> deviations;
  bool by_strategy = false;
  strategy_spec spec{};
  shard part{};
  std::uint64_t number = 0;  // of the schedule
};

// Tells the deviations; the strategy only where they do not fit.
[[nodiscard]] std::string format_token(const fingerprint& of, const token& t);
// What is wrong with it, as a person needs to read it: malformed and where, damaged, another version, another program, other tasks, another
// build.
[[nodiscard]] std::expected<token, std::string> parse_token(std::string_view text, const fingerprint& expected);

}  // namespace xip::explore
