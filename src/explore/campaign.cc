#include "explore/campaign.h"

#include <bit>
#include <utility>

#include <xip/locks/clock.h>

#include "explore/minimise.h"
#include "explore/random.h"

namespace xip::explore {
namespace {

constexpr nanoseconds no_end = nanoseconds::max();

double seconds_of(nanoseconds n) noexcept { return std::chrono::duration<double>(n).count(); }

schedule_report report_of(const outcome& o) {
  schedule_report r;
  r.failed = o.failed;
  r.text = o.text;
  r.steps = o.steps;
  r.preemptions = o.preemptions;
  r.deviations = o.deviations.size();
  r.trace_hash = o.hash;
  return r;
}

std::string differs(const outcome& before, const outcome& after) {
  std::string text = "the same choices led elsewhere: ";
  text += before.failed == failure_kind::none ? "it passed" : std::string{failure_name(before.failed)} + " (" + before.text + ")";
  text += " after " + std::to_string(before.steps) + " steps, then ";
  text += after.failed == failure_kind::none ? "it passed" : std::string{failure_name(after.failed)} + " (" + after.text + ")";
  return text + " after " + std::to_string(after.steps);
}

// Runs the schedule of BEFORE again. False: it went another way.
bool repeats(engine& runs, const outcome& before, bool record) {
  const auto again = make_replay(before.deviations);
  static_cast<void>(again->begin());
  const outcome& after = runs.run(*again, record);
  again->end();
  return after.failed == before.failed && after.hash == before.hash && after.steps == before.steps && !again->diverged();
}

}  // namespace

schedule_report confirm(engine& runs, outcome failed, const explore_options& options, const fingerprint& print, token t) {
  t.deviations = failed.deviations;
  schedule_report r = report_of(failed);
  r.token = format_token(print, t);
  if (failed.failed == failure_kind::setup) return r;
  const auto again = make_replay(failed.deviations);
  static_cast<void>(again->begin());
  const outcome& after = runs.run(*again, options.record_trace);
  again->end();
  r.tasks = runs.task_names();
  r.trace = std::move(runs.events());
  if (failed.failed == failure_kind::nondeterminism) return r;
  if (after.failed != failed.failed || after.hash != failed.hash || again->diverged()) {
    r.failed = failure_kind::nondeterminism;
    r.text = differs(failed, after);
  }
  return r;
}

campaign::campaign(engine& runs, const explore_options& options, const fingerprint& print)
    : engine_{runs},
      options_{options},
      print_{print},
      started_{monotonic_now()},
      next_progress_{started_ + options.progress_every},
      watches_clock_{options.max_time.count() != 0 || options.on_progress != nullptr} {
  report_.program = print.program;
}

report campaign::run() {
  report_.complete = true;
  const std::vector<strategy_spec> stages = plan();
  for (const strategy_spec& spec : stages) {
    const bool policy = options_.strategies.empty();
    run_stage(spec, policy && spec.kind == strategy_spec::type::exhaustive ? half_of_rest() : whole());
    report_.complete = report_.complete && report_.stages.back().exhausted;
    if (over(whole())) break;
  }
  report_.complete = report_.complete && report_.stages.size() == stages.size();
  engine_.restore();
  report_.seconds = seconds_of(monotonic_now() - started_);
  tell_coverage();
  return std::move(report_);
}

std::vector<strategy_spec> campaign::plan() const {
  std::vector<strategy_spec> stages = options_.strategies;
  if (stages.empty()) stages = {{.bound = 1}, {.bound = 2}, {.kind = strategy_spec::type::pct, .bound = 3}};
  for (strategy_spec& spec : stages) spec.seed = options_.seed;
  return stages;
}

campaign::budget campaign::whole() const noexcept {
  return {options_.max_schedules != 0 ? options_.max_schedules : ~std::uint64_t{0},
          options_.max_time.count() != 0 ? started_ + options_.max_time : no_end};
}

campaign::budget campaign::half_of_rest() const noexcept {
  budget half = whole();
  if (options_.max_schedules != 0) half.schedules = report_.schedules + (half.schedules - report_.schedules) / 2;
  if (const nanoseconds now = monotonic_now(); half.until != no_end) half.until = now + (half.until - now) / 2;
  return half;
}

bool campaign::over(const budget& limit) {
  if (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed)) report_.stopped = true;
  if (report_.stopped || report_.schedules >= limit.schedules || report_.failures.size() >= options_.max_failures) return true;
  return limit.until != no_end && monotonic_now() >= limit.until;
}

void campaign::run_stage(const strategy_spec& spec, const budget& limit) {
  const auto s = make_strategy(spec, options_.part);
  report_.stages.push_back({strategy_name(spec), 0, false});
  const std::uint64_t before = report_.schedules;
  while (!over(limit)) {
    if (!s->begin()) {
      report_.stages.back().exhausted = true;
      break;
    }
    run_schedule(*s);
    if (!watches_clock_ || !options_.on_progress) continue;
    if (const nanoseconds now = monotonic_now(); now >= next_progress_) tell_progress(report_.stages.back().strategy, now);
  }
  report_.stages.back().schedules = report_.schedules - before;
}

void campaign::run_schedule(strategy& s) {
  const outcome& went = engine_.run(s, false);
  s.end();
  if (!s.counts()) return;
  ++report_.schedules;
  report_.steps += went.steps;
  report_.max_steps = std::max(report_.max_steps, went.steps);
  report_.trace_hash += mix(went.hash);
  if (went.failed != failure_kind::none)
    add_failure(s, went);
  else if (s.diverged() || repeat_due())
    pass(s, went);
}

// The first ones soon, later ones at intervals.
bool campaign::repeat_due() const noexcept {
  if (options_.repeat_every == 0) return false;
  return report_.schedules % options_.repeat_every == 0 ||
         (report_.schedules < options_.repeat_every && std::has_single_bit(report_.schedules));
}

void campaign::pass(strategy& s, const outcome& went) {
  outcome before = went;
  const bool same = repeats(engine_, before, false);
  if (same && !s.diverged()) return;
  before.failed = failure_kind::nondeterminism;
  before.text = "the same choices led elsewhere: something that is neither in the saved state nor a choice decides what the tasks do";
  add_failure(s, before);
}

void campaign::add_failure(strategy& s, const outcome& failed) {
  ++report_.failed_schedules;
  found_failure found;
  found.strategy = strategy_name(s.spec());
  found.schedule = report_.schedules;
  const token t{.deviations = {}, .by_strategy = true, .spec = s.spec(), .part = options_.part, .number = s.number()};
  const outcome original = failed;
  found.first = confirm(engine_, original, options_, print_, t);
  found.minimised = found.first;
  const bool reproducible = found.first.failed == original.failed && original.failed != failure_kind::nondeterminism;
  if (reproducible && options_.minimise_steps != 0) {
    outcome smaller = minimise(engine_, original, options_.minimise_steps);
    schedule_report small = confirm(engine_, std::move(smaller), options_, print_, {});
    if (small.token.size() <= max_token_bytes && small.failed == original.failed) found.minimised = std::move(small);
  }
  report_.failures.push_back(std::move(found));
}

void campaign::tell_progress(const std::string& strategy, nanoseconds now) {
  next_progress_ = now + options_.progress_every;
  const double seconds = seconds_of(now - started_);
  options_.on_progress({strategy, report_.schedules, seconds > 0 ? static_cast<double>(report_.schedules) / seconds : 0,
                        engine_.covered().pairs(), report_.failed_schedules});
}

void campaign::tell_coverage() {
  const coverage& covered = engine_.covered();
  for (std::size_t i = 0; i < point_count; ++i) report_.switched_at[i] = covered.switched(static_cast<site>(i));
  const std::uint32_t sites = engine_.site_count();
  for (std::uint32_t from = 0; from < sites; ++from)
    for (std::uint32_t to = 0; to < sites; ++to)
      if (covered.has(static_cast<site>(from), static_cast<site>(to)))
        report_.point_pairs.push_back({engine_.site_name(static_cast<site>(from)), engine_.site_name(static_cast<site>(to))});
}

}  // namespace xip::explore
