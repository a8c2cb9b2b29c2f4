// The command line of `xip explore`.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include <xip/explore/strategy.h>
#include <xip/scenario/command.h>

#include "scenario/options.h"

namespace xip::scenario {

struct explore_request {
  std::vector<std::string> names;
  std::vector<explore::strategy_spec> strategies;  // empty: the explorer's own
  std::uint64_t schedules = 0;                     // of each race; 0: no limit
  std::uint64_t seconds = 0;                       // of all races together; 0: no limit
  std::uint64_t seed = 1;
  std::string exhibit;          // a planted bug, by number or name; empty: none
  bool unchecked = false;       // what lockdep reports fails nothing
  std::string token;            // to replay
  std::string timeline, trace;  // files for the schedule that failed, or was replayed; empty: none
  explore::shard part;
  bool list = false;
  bool json = false;
  bool help = false;
};

// Where nothing limits an exploration whose strategies never end: so many schedules of each race.
inline constexpr std::uint64_t default_schedules = 20'000;

[[nodiscard]] std::expected<explore_request, refusal> parse_explore_options(int argc, char** argv, const char* program);
[[nodiscard]] std::string explore_usage(const char* program);
// The races that REQUEST names, in the order of the list; all where it names none.
[[nodiscard]] std::expected<std::vector<const scenario*>, refusal> select_races(const explore_request& request, const check_config& config);

}  // namespace xip::scenario
