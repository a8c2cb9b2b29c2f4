// Reading the command line of `xip crash`.
#include "scenario/crash_options.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include <getopt.h>

#include <fmt/format.h>

#include <xip/crash/ace.h>

#include "explore/random.h"
#include "scenario/option_values.h"
#include "scenario/strategy_options.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

constexpr int usage_exit = 2;
constexpr std::uint64_t largest_workload = 1 << 20;  // bytes of a file

enum option_code : int {
  opt_ace = 256,
  opt_sample,
  opt_random,
  opt_tasks,
  opt_strategy,
  opt_bound,
  opt_schedules,
  opt_unit,
  opt_device,
  opt_mkfs,
  opt_exhibit,
  opt_seed,
  opt_budget,
  opt_states,
  opt_fsck,
  opt_replay,
  opt_keep,
  opt_junit,
  opt_html,
  opt_shard,
  opt_mutants,
  opt_list,
  opt_json,
  opt_mount = 'o',
  opt_help = 'h',
};

constexpr option long_options[] = {{"ace", required_argument, nullptr, opt_ace},
                                   {"sample", required_argument, nullptr, opt_sample},
                                   {"random", required_argument, nullptr, opt_random},
                                   {"tasks", required_argument, nullptr, opt_tasks},
                                   {"strategy", required_argument, nullptr, opt_strategy},
                                   {"bound", required_argument, nullptr, opt_bound},
                                   {"schedules", required_argument, nullptr, opt_schedules},
                                   {"unit", required_argument, nullptr, opt_unit},
                                   {"device", required_argument, nullptr, opt_device},
                                   {"mkfs", required_argument, nullptr, opt_mkfs},
                                   {"exhibit", required_argument, nullptr, opt_exhibit},
                                   {"seed", required_argument, nullptr, opt_seed},
                                   {"budget", required_argument, nullptr, opt_budget},
                                   {"states", required_argument, nullptr, opt_states},
                                   {"fsck", required_argument, nullptr, opt_fsck},
                                   {"replay", required_argument, nullptr, opt_replay},
                                   {"keep", required_argument, nullptr, opt_keep},
                                   {"junit", required_argument, nullptr, opt_junit},
                                   {"html", required_argument, nullptr, opt_html},
                                   {"shard", required_argument, nullptr, opt_shard},
                                   {"mutants", no_argument, nullptr, opt_mutants},
                                   {"list", no_argument, nullptr, opt_list},
                                   {"json", no_argument, nullptr, opt_json},
                                   {"options", required_argument, nullptr, opt_mount},
                                   {"help", no_argument, nullptr, opt_help},
                                   {nullptr, 0, nullptr, 0}};

problem read_text(const char* what, std::string_view value, std::string& to) {
  to = value;
  if (!value.empty()) return std::nullopt;
  return fmt::format("{} is missing", what);
}

problem read_length(const char* name, std::string_view value, unsigned most, unsigned& to) {
  if (read_number(value, to) && to >= 1 && to <= most) return std::nullopt;
  return fmt::format("{} takes a number of calls from 1 to {}, not '{}'", name, most, value);
}

problem read_tasks(std::string_view value, unsigned& to) {
  if (read_number(value, to) && to >= 1 && to <= crash::most_tasks) return std::nullopt;
  return fmt::format("--tasks takes 1 or 2, not '{}'", value);
}

problem read_unit(std::string_view value, std::uint32_t& to) {
  if (read_number(value, to) && (to == 8 || to == 64 || to == 512 || to == 4096)) return std::nullopt;
  return fmt::format("--unit takes 8, 64, 512 or 4096 bytes, not '{}'", value);
}

problem read_device(std::string_view value, device_kind& to) {
  for (const device_kind kind : {device_kind::memory, device_kind::block})
    if (value == name_of(kind)) {
      to = kind;
      return std::nullopt;
    }
  return fmt::format("--device takes memory or block, not '{}'", value);
}

problem read_fsck(std::string_view value, std::uint64_t& to) {
  if (value == "all") to = 1;
  if (value == "none") to = 0;
  if (value == "all" || value == "none" || (read_number(value, to) && to > 0)) return std::nullopt;
  return fmt::format("--fsck takes all, none, or N for one of N images, not '{}'", value);
}

problem read_mkfs(std::string_view value, std::optional<std::vector<std::string>>& to) {
  auto words = split_words(value);
  if (!words) return fmt::format("--mkfs: a quote in '{}' is not closed", value);
  to = std::move(*words);
  return std::nullopt;
}

problem read_mount_options(std::string_view value, std::optional<std::string>& to) {
  for (std::size_t at = 0; at <= value.size();) {
    const std::size_t end = std::min(value.find(',', at), value.size());
    const std::string_view word = value.substr(at, end - at);
    if (word == "ro" || word.starts_with("commit="))
      return fmt::format("-o {} makes no sense here: {}", word, word == "ro" ? "a workload writes" : "nobody waits for a timer");
    at = end + 1;
  }
  to = value;
  return std::nullopt;
}

problem read_option(int code, crash_request& o, spoken_strategies& said) {
  const std::string_view value = optarg != nullptr ? optarg : "";
  unsigned part = 0, parts = 0;
  switch (code) {
    case opt_ace:
      return read_length("--ace", value, crash::longest_ace, o.ace);
    case opt_sample:
      return read_positive("--sample", value, o.sample);
    case opt_random:
      return read_length("--random", value, crash::longest_random, o.random);
    case opt_tasks:
      return read_tasks(value, o.tasks);
    case opt_strategy:
      said.names.emplace_back(value);
      return std::nullopt;
    case opt_bound:
      return read_text("the number of --bound", value, said.bound);
    case opt_schedules:
      return read_positive("--schedules", value, o.schedules);
    case opt_unit:
      return read_unit(value, o.unit);
    case opt_device:
      return read_device(value, o.device);
    case opt_mkfs:
      return read_mkfs(value, o.mkfs);
    case opt_mount:
      return read_mount_options(value, o.mount_options);
    case opt_exhibit:
      return read_text("the number or name of a planted bug", value, o.exhibit);
    case opt_seed:
      return read_number(value, o.seed) ? std::nullopt : problem{fmt::format("--seed takes a number, not '{}'", value)};
    case opt_budget:
      return read_positive("--budget", value, o.seconds);
    case opt_states:
      return read_positive("--states", value, o.states);
    case opt_fsck:
      return read_fsck(value, o.fsck);
    case opt_replay:
      return read_text("a token, as a failure prints it", value, o.token);
    case opt_keep:
      return read_text("the directory of --keep", value, o.keep);
    case opt_junit:
      return read_text("the file of --junit", value, o.junit);
    case opt_html:
      return read_text("the file of --html", value, o.html);
    case opt_shard:
      if (auto wrong = read_shard(value, part, parts)) return wrong;
      o.part = {part - 1, parts};
      return std::nullopt;
    case opt_mutants:
      o.mutants = true;
      return std::nullopt;
    case opt_list:
      o.list = true;
      return std::nullopt;
    case opt_json:
      o.json = true;
      return std::nullopt;
    case opt_help:
      o.help = true;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// A token says which workload it is of, and with which bug: ace2-17, mine+3.
void take_from_token(crash_request& o) {
  const std::size_t from = o.token.find('.') + 1;
  const std::string name = o.token.substr(from, o.token.find('.', from) - from);
  const std::size_t plus = std::min(name.find('+'), name.size());
  if (o.names.empty()) o.names.push_back(name.substr(0, plus));
  if (o.exhibit.empty() && plus < name.size()) o.exhibit = name.substr(plus + 1);
}

// What goes with what, and what was not said.
problem complete(crash_request& o) {
  if (!o.token.empty() && (o.ace != 0 || o.tasks != 1 || o.names.size() != 1)) return "--replay takes one workload";
  if (!o.token.empty() && (!o.strategies.empty() || o.schedules != 0)) return "--replay runs the one schedule that the token names";
  if (o.mutants && (!o.token.empty() || !o.exhibit.empty() || o.json)) return "--mutants goes with none of --replay, --exhibit and --json";
  if (o.ace != 0 && o.random != 0) return "--ace and --random are two runs";
  if (o.tasks != 1 && o.ace == 0 && o.random == 0) {
    if (!o.names.empty()) return "--tasks goes with --ace or --random: a file says itself whose its calls are";
    o.ace = 1;
    if (o.sample == 0) o.sample = default_raced;
  }
  if (o.tasks != 1 && o.ace > crash::longest_raced_ace)
    return fmt::format("--ace takes a number of calls from 1 to {} for each of two tasks", crash::longest_raced_ace);
  if (o.sample != 0 && o.ace == 0 && o.random == 0) return "--sample goes with --ace or --random";
  if (o.random != 0 && o.sample == 0) o.sample = default_random;
  if (o.unit == 0) o.unit = o.device == device_kind::block ? 512 : 64;
  if (o.device == device_kind::block && o.unit < 512) return "a block device writes sectors: --unit 512 or 4096";
  return std::nullopt;
}

[[nodiscard]] std::expected<crash::workload, std::string> read_workload(const std::string& path) {
  const auto because = [&](std::string_view why) { return std::unexpected{fmt::format("{}: {}", path, why)}; };
  std::error_code wrong;
  if (!std::filesystem::is_regular_file(path, wrong))
    return because(wrong ? wrong.message() : "neither a file nor the name of a generated workload (ace2-17)");
  std::ifstream file{path, std::ios::binary};
  std::string text(largest_workload + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file && !file.eof()) return because(std::strerror(errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > largest_workload) return because("too large for a workload");
  std::string name = std::filesystem::path{path}.stem().string();
  for (char& c : name)
    if (c == ' ' || c == '.' || c == '+') c = '_';
  auto w = crash::parse_workload(name, text);
  return w ? std::move(w) : because(w.error());
}

}  // namespace

std::expected<crash_request, refusal> parse_crash_options(int argc, char** argv, const char* program) {
  const auto refuse = [&](std::string_view why) {
    return std::unexpected{refusal{usage_exit, fmt::format("{}: {}\nTry '{} --help'.", program, why, program)}};
  };
  crash_request o;
  spoken_strategies said;
  optind = 0;  // glibc: start anew
  opterr = 0;
  for (;;) {
    const int before = optind == 0 ? 1 : optind;
    const int code = ::getopt_long(argc, argv, ":ho:", long_options, nullptr);
    if (code == -1) break;
    if (code == '?') return refuse(fmt::format("unknown option '{}'", argv[before]));
    if (code == ':') return refuse(fmt::format("option '{}' needs a value", argv[before]));
    if (auto wrong = read_option(code, o, said)) return refuse(*wrong);
  }
  for (int i = optind; i < argc; ++i) o.names.emplace_back(argv[i]);
  if (!o.token.empty()) take_from_token(o);
  if (auto wrong = read_strategies(said, o.strategies)) return refuse(*wrong);
  if (auto wrong = complete(o)) return refuse(*wrong);
  return o;
}

std::string crash_usage(const char* program) {
  return fmt::format(
      R"(Usage: {0} [WORKLOAD...] [OPTION...]
       {0} --replay TOKEN [WORKLOAD]

Runs workloads on a small ext4 image, loses the power at each moment that makes a difference, in the states that recovery can tell apart (in all of them, or
where a moment has too many in a sample, which the report says), and mounts what is left: it must be what the calls had promised by then. WORKLOAD is a file of calls (docs/crash.md), or the name of a generated one (ace2-17). Where it has two
tasks, they take turns in many schedules, and the power is lost in each.

      --ace N            all generated workloads of N calls, 1 to {1}; without anything: --ace 1
      --random N         workloads of N calls, 1 to {2}, by chance
      --sample N         only N of them, by chance (default of --random: {3})
      --tasks 2          generated workloads of two tasks, which make N calls each at the same time; alone: {4} of those of --ace 1
      --strategy S       how two tasks take turns, as 'xip explore' has it: bound=N, exhaustive, pct=N or random (default: bound=1, pct=3)
      --bound N          the N of bound or pct; alone: --strategy bound=N
      --schedules N      at most N schedules of each workload of two tasks (default {5})
      --unit BYTES       what reaches the medium at once: 8, 64, 512 or 4096 (default 64; on block 512)
      --device KIND      memory: persistent memory, or block: a disk with a cache (default memory)
      --mkfs OPTIONS     of mke2fs, in place of -b 4096 -N 64 -m 0
  -o, --options OPTIONS  mount options (default dax=always; on block none)
      --states N         at most N states of one moment before a sample is taken: N likely ones and {7} by chance (default {6})
      --fsck N|all|none  e2fsck -fn on one of N recovered images, all or none (default 100); it always sees what is left when everything has been removed
      --exhibit ID       with a planted bug: its number or name, as 'xip exhibits' lists them (not in a release build)
      --mutants          then leave out one wait for the medium after the other, by the named points before it, until a workload fails
      --budget SECONDS   at most so long
      --seed N           of all chance (default 1)
      --shard I/N        only the Ith of N parts of the workloads
      --replay TOKEN     one state, of two tasks in its schedule, as a failure names it
      --keep DIR         of each failure the workload, the image that the power has left in its smallest form, and the report; likewise with fewer calls
      --junit FILE       results as JUnit XML
      --html FILE        the first workload that failed, or else the last one, as a page for a browser
      --json             results as JSON
      --list             print the names of the workloads, one a line, and nothing else
  -h, --help             this

Exit code: 0 all well, 1 a state failed or the results could not be written, 2 wrong usage (also a workload that cannot be read or a token of another one),
3 mke2fs or e2fsck is missing or cannot be used, or this build has no exhibits, 128 and the signal's number when a signal ended the run.
)",
      program, crash::longest_ace, crash::longest_random, default_random, default_raced, usual_schedules, usual_crash_states,
      usual_crash_samples);
}

std::expected<workload_list, std::string> workload_list::of(const crash_request& request, const planted_bug* bug) {
  workload_list list;
  std::vector<std::string> names = request.names;
  const bool brings_one = bug != nullptr && !bug->workload.empty(),
             nothing_named = names.empty() && request.ace == 0 && request.random == 0;
  if (nothing_named && brings_one) names.emplace_back(exhibit_workload);
  for (const std::string& name : names) {
    if (name == exhibit_workload && brings_one) {
      auto own = crash::parse_workload(name, bug->workload);
      if (!own) return std::unexpected{std::move(own.error())};
      list.named_.push_back(*std::move(own));
      continue;
    }
    if (auto generated = crash::generated_workload(name)) {
      list.named_.push_back(*std::move(generated));
      continue;
    }
    auto read = read_workload(name);
    if (!read) return std::unexpected{std::move(read.error())};
    list.named_.push_back(*std::move(read));
  }
  list.ace_ = nothing_named && !brings_one ? 1 : request.ace;
  list.random_ = request.random;
  list.tasks_ = request.tasks;
  list.sample_ = request.sample;
  list.seed_ = request.seed;
  list.part_ = request.part;
  std::uint64_t generated = 0;
  if (list.ace_ != 0 || list.random_ != 0) generated = list.sample_ != 0 ? list.sample_ : list.ace_count();
  const bool raced = list.tasks_ != 1 || std::ranges::any_of(list.named_, [](const crash::workload& w) { return crash::tasks_of(w) > 1; });
  if (!raced && (!request.strategies.empty() || request.schedules != 0))
    return std::unexpected{std::string{"--strategy, --bound and --schedules go with workloads of two tasks"}};
  if (raced && request.mutants) return std::unexpected{std::string{"--mutants goes with workloads of one task"}};
  const std::uint64_t all = list.named_.size() + generated;
  list.count_ = all / list.part_.count + (all % list.part_.count > list.part_.index ? 1 : 0);
  return list;
}

crash::workload workload_list::at(std::uint64_t i) const {
  i = i * part_.count + part_.index;
  return i < named_.size() ? named_[i] : *crash::generated_workload(generated_name(i - named_.size()));
}

std::string workload_list::name_at(std::uint64_t i) const {
  i = i * part_.count + part_.index;
  return i < named_.size() ? named_[i].name : generated_name(i - named_.size());
}

std::uint64_t workload_list::ace_count() const noexcept { return tasks_ == 1 ? crash::ace_count(ace_) : crash::raced_ace_count(ace_); }

std::string workload_list::generated_name(std::uint64_t number) const {
  explore::random_numbers chance{seed_, number};
  const std::string_view tasks = tasks_ == 1 ? "" : "2x";
  if (random_ != 0) return fmt::format("{}random{}-{}", tasks, random_, chance.below(std::uint64_t{1} << 32));
  return fmt::format("{}ace{}-{}", tasks, ace_, sample_ != 0 ? chance.below(ace_count()) : number);
}

}  // namespace xip::scenario
