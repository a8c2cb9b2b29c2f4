// `xip explore`: reads the command line, makes the file system, explores one race after the other.
#include <xip/scenario/command.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>
#include <xip/explore/timeline.h>
#include <xip/locks/clock.h>

#include "scenario/console.h"
#include "scenario/end_signals.h"
#include "scenario/explore_options.h"
#include "scenario/explore_report.h"
#include "scenario/race_explorer.h"
#include "scenario/race_image.h"
#include "scenario/result_file.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

constexpr int failed_exit = 1, usage_exit = 2, missing_exit = 3;

int say(const refusal& r) {
  std::fprintf(stderr, "%s\n", r.message.c_str());
  return r.exit_code;
}

// The planted bug that REQUEST asks for, if it asks for one.
std::expected<race_conditions, refusal> conditions_of(const explore_request& request, const check_config& config) {
  const auto refuse = [&](int code, std::string_view why) {
    return std::unexpected{refusal{code, fmt::format("{}: {}", config.program, why)}};
  };
  race_conditions found{nullptr, !request.unchecked};
  if (request.exhibit.empty()) return found;
  if (config.find_bug == nullptr)
    return refuse(missing_exit, "there are no exhibits in this build; configure it with -D XIP_EXHIBITS=ON, as preset debug does");
  found.bug = config.find_bug(request.exhibit);
  if (found.bug == nullptr)
    return refuse(usage_exit, fmt::format("there is no exhibit '{}'; 'xip exhibits' lists those that there are", request.exhibit));
  return found;
}

// The files that a schedule is drawn into. Opened before anything runs, and left as they were when nothing is drawn.
class pictures {
 public:
  [[nodiscard]] static std::expected<pictures, refusal> open(const explore_request& request, const check_config& config) {
    pictures made;
    for (const auto& [path, file] : {std::pair{&request.timeline, &made.page_}, {&request.trace, &made.trace_}}) {
      if (path->empty()) continue;
      auto opened = result_file::open(*path);
      if (!opened) return std::unexpected{refusal{missing_exit, fmt::format("{}: {}", config.program, opened.error())}};
      file->emplace(std::move(*opened));
    }
    return made;
  }

  [[nodiscard]] bool wanted() const noexcept { return page_ || trace_; }

  // One schedule of RACE. False: it could not be written, which has been said.
  [[nodiscard]] bool draw(const scenario& race, const race_conditions& with, const explore::schedule_report& s, const char* program) {
    const std::string bug = with.bug != nullptr ? fmt::format(", with exhibit {} {}", with.bug->number, with.bug->name) : "";
    const explore::timeline_header header{
        fmt::format("{}: {}{}{}", race.name, race.description, bug, with.check_locks ? "" : ", lock checking off"),
        "A file system, a few tasks, and one order in which their steps were made. Each task has a lane; a lock "
        "is held as long as its bar; what a file is long and whose each block is stands below.",
        s.token.empty() ? "" : fmt::format("{} {} --replay {}", program, race.name, s.token)};
    return (!page_ || commit(*page_, explore::timeline_html(header, s), program)) &&
           (!trace_ || commit(*trace_, explore::chrome_trace_json(header, s), program));
  }

 private:
  static bool commit(result_file& file, const std::string& text, const char* program) {
    const auto written = file.commit(text);
    if (!written) std::fprintf(stderr, "%s: %s\n", program, written.error().c_str());
    return written.has_value();
  }

  std::optional<result_file> page_, trace_;
};

class explorations {
 public:
  explorations(const explore_request& request, const check_config& config, const race_ground& ground, const race_conditions& conditions,
               std::vector<const scenario*> races, pictures& drawn, console& out)
      : request_{request},
        config_{config},
        ground_{ground},
        conditions_{conditions},
        races_{std::move(races)},
        pictures_{drawn},
        out_{out} {}

  int run() {
    const nanoseconds started = monotonic_now();
    for (std::size_t i = 0; i < races_.size() && signal_ == 0; ++i) {
      explore_one(i, time_for(i, monotonic_now() - started));
      listen();
    }
    clear_progress();
    const char* name = signal_ != 0 ? ::sigabbrev_np(signal_) : nullptr;
    const exploration how{request_.seed,
                          checksum_of(ground_.image),
                          request_.part,
                          conditions_.bug != nullptr ? conditions_.bug->name : std::string_view{},
                          !conditions_.check_locks,
                          signal_ == 0      ? ""
                          : name != nullptr ? fmt::format("SIG{}", name)
                                            : fmt::format("signal {}", signal_)};
    out_.put(request_.json ? json_report(done_, how) : closing_line(done_, how));
    if (signal_ != 0) return 128 + signal_;
    for (const explored& e : done_)
      if (!e.found.passed()) return failed_exit;
    return drawn_badly_ ? failed_exit : 0;
  }

 private:
  // An equal part of what is left for race I and those after it.
  [[nodiscard]] nanoseconds time_for(std::size_t i, nanoseconds used) const {
    if (request_.seconds == 0) return nanoseconds{0};
    const nanoseconds whole = std::chrono::duration_cast<nanoseconds>(std::chrono::seconds{request_.seconds});
    const auto left = static_cast<nanoseconds::rep>(races_.size() - i);
    return std::max(nanoseconds{1}, (whole - used) / left);
  }

  void explore_one(std::size_t i, nanoseconds time) {
    const scenario& race = *races_[i];
    explore::explore_options o;
    o.strategies = request_.strategies;
    o.seed = request_.seed;
    o.max_schedules = request_.schedules;
    o.max_time = time;
    o.part = request_.part;
    o.stop = &stop_;
    o.on_progress = [this, i](const explore::progress& p) {
      listen();
      show_progress(i, p);
    };
    race_explorer e{race, config_.type, ground_, conditions_, std::move(o)};
    explore::report found = e.run();
    done_.push_back({&race, std::move(found), e.images(), e.crash_states(), e.state_bytes()});
    draw(race, e, i + 1 == races_.size() || signal_ != 0);
    clear_progress();
    if (!request_.json) out_.put(text_report(done_.back(), config_.program));
  }

  // The first failure of all; at the end, where there was none, the usual schedule.
  void draw(const scenario& race, race_explorer& e, bool last) {
    if (!pictures_.wanted() || drawn_) return;
    const explore::report& found = done_.back().found;
    if (found.passed() && !last) return;
    if (found.passed())
      std::fprintf(stderr, "%s: no schedule failed; drawn is the usual one of %s\n", config_.program, std::string{race.name}.c_str());
    drawn_ = true;
    drawn_badly_ = !pictures_.draw(race, conditions_, found.passed() ? e.usual() : found.failures.front().minimised, config_.program);
  }

  void listen() {
    if (signal_ == 0) signal_ = signals_.take();
    if (signal_ != 0) stop_ = true;
  }

  void show_progress(std::size_t i, const explore::progress& p) {
    if (!terminal_ || request_.json) return;
    std::string line = fmt::format("[{}/{}] {} {}: {} schedules, {:.0f}/s, {} point pairs", i + 1, races_.size(), races_[i]->name,
                                   p.strategy, p.schedules, p.per_second, p.point_pairs);
    if (p.failures != 0) line += fmt::format(", {} failed", p.failures);
    out_.put("\r\033[K" + line);
  }
  void clear_progress() {
    if (terminal_ && !request_.json) out_.put("\r\033[K");
  }

  const explore_request& request_;
  const check_config& config_;
  const race_ground& ground_;
  const race_conditions& conditions_;
  const std::vector<const scenario*> races_;
  pictures& pictures_;
  console& out_;
  bool drawn_ = false, drawn_badly_ = false;
  const end_signals signals_;
  int signal_ = 0;
  std::atomic<bool> stop_{false};
  std::vector<explored> done_;
  const bool terminal_ = ::isatty(STDOUT_FILENO) == 1;
};

// A token says which race it is of, with which bug: race/024, race/024+3, race/024+3+unchecked.
void take_from_token(explore_request& request) {
  const std::size_t from = request.token.find('.') + 1;
  std::string name = request.token.substr(from, request.token.find('.', from) - from);
  if (constexpr std::string_view suffix = "+unchecked"; name.ends_with(suffix)) {
    request.unchecked = true;
    name.resize(name.size() - suffix.size());
  }
  const std::size_t plus = std::min(name.find('+'), name.size());
  if (request.names.empty()) request.names.push_back(name.substr(0, plus));
  if (request.exhibit.empty() && plus < name.size()) request.exhibit = name.substr(plus + 1);
}

int replay_one(const explore_request& request, const check_config& config, const race_ground& ground, const race_conditions& conditions,
               const scenario& race, pictures& drawn, console& out) {
  race_explorer e{race, config.type, ground, conditions, {}};
  const auto again = e.replay(request.token);
  if (!again) return say({usage_exit, fmt::format("{}: {}", config.program, again.error())});
  out.put(request.json ? json_report(race, *again) : text_report(race, *again));
  if (drawn.wanted() && !drawn.draw(race, conditions, *again, config.program)) return failed_exit;
  return again->failed == explore::failure_kind::none ? 0 : failed_exit;
}

int run_request(explore_request request, const check_config& config, console& out) {
  if (!request.token.empty()) take_from_token(request);
  auto races = select_races(request, config);
  if (!races) return say(races.error());
  if (request.list) {
    for (const scenario* s : *races) out.put(fmt::format("{}\n", s->name));
    return 0;
  }
  if (!request.token.empty() && races->size() != 1)
    return say({usage_exit, fmt::format("{}: --replay takes one race, not {}", config.program, races->size())});
  const auto conditions = conditions_of(request, config);
  if (!conditions) return say(conditions.error());
  const auto ground = prepare_race_ground();
  if (!ground) return say({missing_exit, fmt::format("{}: {}", config.program, ground.error())});
  auto drawn = pictures::open(request, config);
  if (!drawn) return say(drawn.error());
  if (!request.token.empty()) return replay_one(request, config, *ground, *conditions, *races->front(), *drawn, out);
  return explorations{request, config, *ground, *conditions, std::move(*races), *drawn, out}.run();
}

}  // namespace

int explore_command(int argc, char** argv, const check_config& config) {
  if (!standard_descriptors_are_open()) return say({1, fmt::format("{}: standard output: {}", config.program, error{EBADF}.message())});
  auto request = parse_explore_options(argc, argv, config.program);
  if (!request) return say(request.error());
  console out;
  if (request->help) {
    out.put(explore_usage(config.program));
    return out.finish(config.program, 0);
  }
  const int code = run_request(std::move(*request), config, out);
  return out.finish(config.program, code);
}

}  // namespace xip::scenario
