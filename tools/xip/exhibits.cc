// xip exhibits: the museum. Lists the planted bugs, shows that each is found, and measures how often.
#include <algorithm>
#include <atomic>
#include <vector>

#include <unistd.h>

#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/scenario/registry.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "exhibits/museum.h"
#include "verbs.h"

namespace xip::tool {
namespace {

using exhibits::exhibit;
using nlohmann::json;

struct request {
  std::vector<std::string> ids;
  bool run = false, as_json = false;
  std::uint32_t seeds = 0;
  std::vector<std::string> strategies;
  exhibits::museum_options options;
};

class progress_line {
 public:
  explicit progress_line(bool wanted) noexcept : on_{wanted && ::isatty(STDOUT_FILENO) == 1} {}
  void show(const exhibit& e, const explore::progress& p) const {
    if (!on_) return;
    fmt::print("\r\033[K{} {}: {} {} schedules, {:.0f}/s", e.bug.number, e.bug.name, p.strategy, p.schedules, p.per_second);
    std::fflush(stdout);
  }
  void clear() const {
    if (on_) fmt::print("\r\033[K");
  }

 private:
  bool on_;
};

std::string_view place_of(const exhibit& e) { return e.race.empty() ? "crash" : e.race; }

void list(const std::vector<const exhibit*>& chosen, bool as_json) {
  json all = json::array();
  for (const exhibit* e : chosen) {
    if (as_json)
      all.push_back({{"number", e->bug.number},
                     {"name", e->bug.name},
                     {"what", e->what},
                     {"source", e->source},
                     {"race", e->race},
                     {"workload", e->bug.workload}});
    else
      fmt::print("{:>3} {:<25} {}; {}; {}\n", e->bug.number, e->bug.name, e->what, e->source, place_of(*e));
  }
  if (as_json) fmt::print("{}\n", all.dump(2));
}

json json_of(const exhibits::showing& s) {
  json j = {{"found", s.found}, {"schedules", s.needed}, {"complete", s.complete}};
  if (s.found) j.update({{"caught_by", s.judge}, {"preemptions", s.preemptions}, {"text", s.text}, {"token", s.token}});
  return j;
}

// "block sanitizer      203    1"
std::string columns_of(const exhibits::showing& s) {
  if (!s.judged) return fmt::format("{:<16}{:>7}{:>5}", s.found ? s.judge : "ESCAPED", s.needed, "");
  return fmt::format("{:<16}{:>7}{:>5}", s.judge, s.needed, s.preemptions);
}

std::string verdict_on_product(const exhibits::showing& s) {
  if (s.found) return fmt::format("FAILED in {}", s.needed);
  return fmt::format("{}{}", s.needed, s.complete ? " (all)" : "");
}

void print_row(const exhibits::result_of_exhibit& r) {
  fmt::print("{:>3} {:<25}{:<10}{}  {}  {:<15}{}\n", r.what->bug.number, r.what->bug.name, place_of(*r.what), columns_of(r.unchecked),
             columns_of(r.checked), verdict_on_product(r.product), r.unchecked.token);
  if (r.product.found) fmt::print("    the product: {}\n    {}\n", r.product.text, r.product.token);
  std::fflush(stdout);
}

int run_all(const std::vector<const exhibit*>& chosen, const request& asked, const progress_line& line) {
  std::size_t passed = 0, failed = 0;
  json rows = json::array();
  if (!asked.as_json)
    fmt::print("{:>3} {:<25}{:<10}{:<28}  {:<28}  {:<15}{}\n{:<39}{:<16}{:>7}{:>5}  {:<16}{:>7}{:>5}  {:<15}{}\n", "", "exhibit", "race",
               "without lock checking", "with lock checking", "the product", "", "", "caught by", "after", "pre", "caught by", "after",
               "pre", "survives", "replay token (xip explore --replay)");
  const auto outcome = exhibits::show(chosen, ext4lite_file_system(), scenario::all_scenarios(), asked.options, [&](const auto& r) {
    line.clear();
    ++(r.passed() ? passed : failed);
    if (!asked.as_json) return print_row(r);
    rows.push_back({{"number", r.what->bug.number},
                    {"name", r.what->bug.name},
                    {"race", r.what->race},
                    {"unchecked", json_of(r.unchecked)},
                    {"checked", json_of(r.checked)},
                    {"product", json_of(r.product)}});
  });
  line.clear();
  if (!outcome) {
    complain("exhibits", outcome.error());
    return exit_environment;
  }
  if (asked.as_json)
    fmt::print("{}\n",
               json{{"exhibits", rows}, {"passed", passed}, {"failed", failed}}.dump(2, ' ', false, json::error_handler_t::replace));
  else
    fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 ? exit_ok : exit_failed;
}

int measure(const std::vector<const exhibit*>& chosen, const request& asked, const progress_line& line) {
  json rows = json::array();
  if (!asked.as_json) fmt::print("{:>3} {:<25}{:<10}{:>10}{:>9}{:>9}\n", "", "exhibit", "race", "found", "median", "worst");
  const auto outcome = exhibits::measure_odds(
      chosen, ext4lite_file_system(), scenario::all_scenarios(), asked.seeds, asked.options, [&](const exhibits::odds& o) {
        line.clear();
        if (asked.as_json)
          rows.push_back({{"name", o.what->bug.name}, {"found", o.found}, {"seeds", o.seeds}, {"median", o.median}, {"worst", o.worst}});
        else
          fmt::print("{:>3} {:<25}{:<10}{:>10}{:>9}{:>9}\n", o.what->bug.number, o.what->bug.name, o.what->race,
                     fmt::format("{}/{}", o.found, o.seeds), o.median, o.worst);
        std::fflush(stdout);
      });
  line.clear();
  if (!outcome) {
    complain("exhibits", outcome.error());
    return exit_environment;
  }
  if (asked.as_json) fmt::print("{}\n", rows.dump(2));
  return exit_ok;
}

// What the words on the command line mean; the exit code where they mean nothing.
std::optional<int> understand(request& asked, std::vector<const exhibit*>& chosen) {
  for (const std::string& name : asked.strategies) {
    const auto spec = explore::parse_strategy(name);
    if (!spec) {
      complain("exhibits", fmt::format("--strategy takes bound=N, exhaustive, pct=N or random, not '{}'", name));
      return exit_usage;
    }
    asked.options.strategies.push_back(*spec);
  }
  for (const std::string& id : asked.ids) {
    const exhibit* const found = exhibits::find_exhibit(id);
    if (found == nullptr) {
      complain("exhibits", fmt::format("there is no exhibit '{}'; 'xip exhibits' lists those that there are", printable(id)));
      return exit_usage;
    }
    if (std::ranges::find(chosen, found) == chosen.end()) chosen.push_back(found);
  }
  if (chosen.empty())
    for (const exhibit& e : exhibits::all_exhibits()) chosen.push_back(&e);
  return std::nullopt;
}

}  // namespace

int exhibits_verb(int argc, char** argv) {
  CLI::App app{"List known bugs that can be switched on, or show that each is found", "exhibits"};
  request asked;
  app.set_help_flag("-h,--help", "this text");
  app.add_option("ID", asked.ids, "numbers or names of exhibits (default: all)");
  CLI::Option* const run = app.add_flag("--run", asked.run, "explore the race of each, or crash its workload, with the bug and without");
  CLI::Option* const seeds =
      app.add_option("--seeds", asked.seeds,
                     "explore with each of the seeds 1 to N, without lock checking, and count how often the bug is found")
          ->check(CLI::Range(1u, 1'000'000u))
          ->excludes(run);
  app.add_option("--strategy", asked.strategies, "as for xip explore; may be given again");
  app.add_option("--schedules", asked.options.schedules, "at most N schedules of each exploration (default 20000)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  app.add_option("--seed", asked.options.seed, "seed of pct and random (default 1)")->excludes(seeds);
  app.add_flag("--json", asked.as_json, "print the results as JSON");
  if (const auto code = parse(app, argc, argv)) return *code;
  if (exhibits::all_exhibits().empty()) {
    complain("exhibits", "there are none in this build; configure it with -D XIP_EXHIBITS=ON, as preset debug does");
    return exit_environment;
  }
  std::vector<const exhibit*> chosen;
  if (const auto code = understand(asked, chosen)) return *code;
  if (!asked.run && asked.seeds == 0) {
    list(chosen, asked.as_json);
    return exit_ok;
  }
  const stop_signals signals;  // hands on what came when all that was found has been told
  std::atomic<bool> stop{false};
  const progress_line line{!asked.as_json};
  asked.options.stop = &stop;
  asked.options.on_progress = [&](const exhibit& e, const explore::progress& p) {
    if (stop_signals::asked()) stop = true;
    line.show(e, p);
  };
  const int code = asked.seeds != 0 ? measure(chosen, asked, line) : run_all(chosen, asked, line);
  if (stop) complain("exhibits", "interrupted");
  return code;
}

}  // namespace xip::tool
