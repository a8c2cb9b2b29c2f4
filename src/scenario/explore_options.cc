// Reading the command line of `xip explore`, and what a test runner says of shards.
#include "scenario/explore_options.h"

#include <algorithm>
#include <cstdlib>

#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>

#include <fmt/format.h>

#include "scenario/descriptor.h"
#include "scenario/option_values.h"
#include "scenario/strategy_options.h"

namespace xip::scenario {
namespace {

constexpr int usage_exit = 2;

enum option_code : int {
  opt_exhibit = 256,
  opt_unchecked,
  opt_strategy,
  opt_bound,
  opt_schedules,
  opt_seed,
  opt_budget,
  opt_replay,
  opt_timeline,
  opt_trace,
  opt_json,
  opt_shard,
  opt_list,
  opt_help = 'h',
};

constexpr option long_options[] = {{"exhibit", required_argument, nullptr, opt_exhibit},
                                   {"unchecked", no_argument, nullptr, opt_unchecked},
                                   {"strategy", required_argument, nullptr, opt_strategy},
                                   {"bound", required_argument, nullptr, opt_bound},
                                   {"schedules", required_argument, nullptr, opt_schedules},
                                   {"seed", required_argument, nullptr, opt_seed},
                                   {"budget", required_argument, nullptr, opt_budget},
                                   {"replay", required_argument, nullptr, opt_replay},
                                   {"timeline", required_argument, nullptr, opt_timeline},
                                   {"trace", required_argument, nullptr, opt_trace},
                                   {"json", no_argument, nullptr, opt_json},
                                   {"shard", required_argument, nullptr, opt_shard},
                                   {"list", no_argument, nullptr, opt_list},
                                   {"help", no_argument, nullptr, opt_help},
                                   {nullptr, 0, nullptr, 0}};

// What was said that only together makes strategies.
struct spoken {
  spoken_strategies strategies;
  bool shard = false;
};

problem read_option(int code, explore_request& o, spoken& said) {
  const std::string_view value = optarg != nullptr ? optarg : "";
  unsigned part = 0, parts = 0;
  switch (code) {
    case opt_exhibit:
      o.exhibit = value;
      if (value.empty()) return "--exhibit takes the number or name of a planted bug";
      break;
    case opt_unchecked:
      o.unchecked = true;
      break;
    case opt_strategy:
      said.strategies.names.emplace_back(value);
      break;
    case opt_bound:
      said.strategies.bound = value;
      break;
    case opt_schedules:
      return read_positive("--schedules", value, o.schedules);
    case opt_seed:
      if (!read_number(value, o.seed)) return fmt::format("--seed takes a number, not '{}'", value);
      break;
    case opt_budget:
      return read_positive("--budget", value, o.seconds);
    case opt_replay:
      o.token = value;
      if (value.empty()) return "--replay takes a token, as a failure prints it";
      break;
    case opt_timeline:
      o.timeline = value;
      if (value.empty()) return "--timeline takes the name of a file";
      break;
    case opt_trace:
      o.trace = value;
      if (value.empty()) return "--trace takes the name of a file";
      break;
    case opt_json:
      o.json = true;
      break;
    case opt_shard:
      if (auto wrong = read_shard(value, part, parts)) return wrong;
      o.part = {part - 1, parts};
      said.shard = true;
      break;
    case opt_list:
      o.list = true;
      break;
    case opt_help:
      o.help = true;
      break;
    default:
      break;
  }
  return std::nullopt;
}

// A runner of tests shares work out by its environment: https://google.github.io/googletest/advanced.html
problem read_environment(explore_request& o) {
  const char* index = std::getenv("GTEST_SHARD_INDEX");
  const char* total = std::getenv("GTEST_TOTAL_SHARDS");
  if (index == nullptr || total == nullptr) return std::nullopt;
  explore::shard part;
  if (!read_number(std::string_view{index}, part.index) || !read_number(std::string_view{total}, part.count) || part.index >= part.count)
    return fmt::format("GTEST_SHARD_INDEX={} of GTEST_TOTAL_SHARDS={} is no part of anything", index, total);
  o.part = part;
  // It looks for this file to see that we know.
  if (const char* status = std::getenv("GTEST_SHARD_STATUS_FILE"); status != nullptr)
    descriptor{::open(status, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)}.reset();
  return std::nullopt;
}

// Strategies that never end get an end.
void limit(explore_request& o) {
  if (o.schedules != 0 || o.seconds != 0) return;
  const bool ends = !o.strategies.empty() && std::ranges::all_of(o.strategies, [](const explore::strategy_spec& s) {
    return s.kind == explore::strategy_spec::type::exhaustive && s.bound != explore::strategy_spec::unbounded;
  });
  if (!ends) o.schedules = default_schedules;
}

}  // namespace

std::expected<explore_request, refusal> parse_explore_options(int argc, char** argv, const char* program) {
  const auto refuse = [&](std::string_view why) {
    return std::unexpected{refusal{usage_exit, fmt::format("{}: {}\nTry '{} --help'.", program, why, program)}};
  };
  explore_request o;
  spoken said;
  optind = 0;  // glibc: start anew
  opterr = 0;
  for (;;) {
    const int before = optind == 0 ? 1 : optind;
    const int code = ::getopt_long(argc, argv, ":h", long_options, nullptr);
    if (code == -1) break;
    if (code == '?') return refuse(fmt::format("unknown option '{}'", argv[before]));
    if (code == ':') return refuse(fmt::format("option '{}' needs a value", argv[before]));
    if (auto wrong = read_option(code, o, said)) return refuse(*wrong);
  }
  for (int i = optind; i < argc; ++i) o.names.emplace_back(argv[i]);
  if (!o.timeline.empty() && o.timeline == o.trace) return refuse("--timeline and --trace name one file; each writes its own");
  if (auto wrong = read_strategies(said.strategies, o.strategies)) return refuse(*wrong);
  if (!said.shard)
    if (auto wrong = read_environment(o)) return refuse(*wrong);
  limit(o);
  return o;
}

std::expected<std::vector<const scenario*>, refusal> select_races(const explore_request& request, const check_config& config) {
  const auto refuse = [&](std::string why) { return std::unexpected{refusal{usage_exit, fmt::format("{}: {}", config.program, why)}}; };
  const auto named = [](const scenario* s, const std::string& name) {
    return ::fnmatch(name.c_str(), std::string{s->name}.c_str(), 0) == 0;
  };
  for (const std::string& name : request.names) {
    bool known = false, race = false;
    for (const scenario* s : config.scenarios) {
      known = known || named(s, name);
      race = race || (named(s, name) && s->race != nullptr);
    }
    if (!known) return refuse(fmt::format("there is no scenario '{}'; --list prints those that can be explored", name));
    if (!race) return refuse(fmt::format("'{}' is no race; --list prints those that can be explored", name));
  }
  std::vector<const scenario*> chosen;
  for (const scenario* s : config.scenarios) {
    const bool wanted = request.names.empty() || std::ranges::any_of(request.names, [&](const std::string& n) { return named(s, n); });
    if (s->race != nullptr && wanted) chosen.push_back(s);
  }
  if (chosen.empty()) return refuse("there is no race to explore");
  return chosen;
}

std::string explore_usage(const char* program) {
  return fmt::format(
      R"(Usage: {0} [NAME...] [OPTION...]
       {0} --replay TOKEN

Runs races in many schedules, each of them reproducible, and reports the first that fails. NAME is a race (race/023) or a pattern of
names; without one: all of them. Each begins on the same small file system and ends with e2fsck -fn on what it left.

      --exhibit ID       with a planted bug: its number or name, as 'xip exhibits' lists them (not in a release build)
      --unchecked        what lockdep reports fails no schedule
      --strategy S       bound=N: all schedules with at most N preemptions; exhaustive: all; pct=N: random priorities with N - 1 changes;
                         random: random choices. May be given again: one after the other (default: bound=1, bound=2, pct=3)
      --bound N          the N of bound or pct; alone: --strategy bound=N
      --schedules N      at most N schedules of each race (default {1} where nothing else sets an end)
      --budget SECONDS   at most so long, all races together
      --seed N           seed of pct and random (default 1)
      --shard I/N        only the Ith of N parts of the schedules. GTEST_SHARD_INDEX and GTEST_TOTAL_SHARDS say the same
      --replay TOKEN     run the one schedule that TOKEN names
      --timeline FILE    draw a schedule as a page for a browser: the first that failed, in its smallest form, or the replayed one. Where none
                         failed: the usual one of the last race
      --trace FILE       the same schedule as a trace that Perfetto and chrome://tracing show
      --json             print the results as JSON
      --list             print the names of the races, one a line, and nothing else
  -h, --help             this

Exit code: 0 all well, 1 a schedule failed or the results could not be printed, 2 wrong usage (also a token of another race or build),
3 mke2fs or e2fsck is missing or cannot be used, or this build has no exhibits, 128 and the signal's number when a signal ended the run.
)",
      program, default_schedules);
}

}  // namespace xip::scenario
