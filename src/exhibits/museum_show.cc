// Exhibits at work: each explores its race or goes through its crash, and must be found.
#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "exhibits/crash_show.h"
#include "exhibits/museum.h"
#include "scenario/race_explorer.h"

namespace xip::exhibits {
namespace {

using scenario::race_conditions;
using scenario::race_ground;

class guide {
 public:
  guide(const vfs::file_system_type& type, std::span<const scenario::scenario* const> scenarios, const museum_options& options,
        const race_ground& ground)
      : type_{type}, scenarios_{scenarios}, options_{options}, ground_{ground}, crashes_{type, ground.use} {}

  [[nodiscard]] const scenario::scenario* race_of(const exhibit& e) const noexcept {
    const auto found = std::ranges::find_if(scenarios_, [&](const scenario::scenario* s) { return s->name == e.race; });
    return found == scenarios_.end() || (*found)->race == nullptr ? nullptr : *found;
  }

  [[nodiscard]] showing explore(const exhibit& e, const race_conditions& conditions, std::uint64_t seed, bool minimise) const {
    explore::explore_options o;
    o.strategies = options_.strategies;
    o.seed = seed;
    o.max_schedules = options_.schedules;
    o.stop = options_.stop;
    if (!minimise) o.minimise_steps = 0;
    if (options_.on_progress) o.on_progress = [&](const explore::progress& p) { options_.on_progress(e, p); };
    scenario::race_explorer race{*race_of(e), type_, ground_, conditions, std::move(o)};
    explore::report r = race.run();
    // An exploration may be too short to have told anything.
    if (options_.on_progress) options_.on_progress(e, {"", r.schedules, r.per_second(), r.point_pairs.size(), r.failed_schedules});
    showing s{.found = !r.passed(), .judge = {}, .needed = r.schedules, .complete = r.complete};
    if (!s.found) return s;
    s.judge = scenario::oracle_of(r.failures.front().minimised);
    s.judged = r.failures.front().first.failed != explore::failure_kind::setup &&
               r.failures.front().first.failed != explore::failure_kind::nondeterminism;
    s.needed = r.failures.front().schedule;
    const explore::schedule_report& smallest = r.failures.front().minimised;
    s.preemptions = smallest.preemptions;
    s.text = smallest.text;
    s.token = smallest.token;
    return s;
  }

  // The product goes through each race and each crash once, however many exhibits it has.
  [[nodiscard]] const showing& product(const exhibit& e) {
    const auto [place, fresh] = products_.try_emplace(e.race.empty() ? e.bug.workload : e.race);
    if (fresh) place->second = e.race.empty() ? crashes_.show(e, false, options_.stop) : explore(e, {}, options_.seed, true);
    return place->second;
  }
  [[nodiscard]] showing crash(const exhibit& e) { return crashes_.show(e, true, options_.stop); }

 private:
  const vfs::file_system_type& type_;
  const std::span<const scenario::scenario* const> scenarios_;
  const museum_options& options_;
  const race_ground& ground_;
  crash_show crashes_;
  std::map<std::string_view, showing> products_;
};

[[nodiscard]] bool stopped(const museum_options& o) noexcept { return o.stop != nullptr && o.stop->load(std::memory_order_relaxed); }

// TOUR is called for each exhibit.
template <class Tour>
std::expected<void, std::string> walk(std::span<const exhibit* const> exhibits, const vfs::file_system_type& type,
                                      std::span<const scenario::scenario* const> scenarios, const museum_options& options, Tour&& tour) {
  const auto ground = scenario::prepare_race_ground();
  if (!ground) return std::unexpected{ground.error()};
  guide g{type, scenarios, options, *ground};
  for (const exhibit* e : exhibits)
    if (!e->race.empty() && g.race_of(*e) == nullptr)
      return std::unexpected{fmt::format("exhibit {}: there is no race '{}'", e->bug.name, e->race)};
  for (const exhibit* e : exhibits) {
    if (stopped(options)) break;
    tour(g, *e);
  }
  return {};
}

}  // namespace

std::expected<void, std::string> show(std::span<const exhibit* const> exhibits, const vfs::file_system_type& type,
                                      std::span<const scenario::scenario* const> scenarios, const museum_options& options,
                                      const std::function<void(const result_of_exhibit&)>& tell) {
  return walk(exhibits, type, scenarios, options, [&](guide& g, const exhibit& e) {
    result_of_exhibit r;
    r.what = &e;
    r.checked = e.race.empty() ? g.crash(e) : g.explore(e, {.bug = &e.bug, .check_locks = true}, options.seed, true);
    r.unchecked = e.race.empty() ? r.checked : g.explore(e, {.bug = &e.bug, .check_locks = false}, options.seed, true);
    r.product = g.product(e);
    if (!stopped(options)) tell(r);
  });
}

std::expected<void, std::string> measure_odds(std::span<const exhibit* const> exhibits, const vfs::file_system_type& type,
                                              std::span<const scenario::scenario* const> scenarios, std::uint32_t seeds,
                                              const museum_options& options, const std::function<void(const odds&)>& tell) {
  return walk(exhibits, type, scenarios, options, [&](guide& g, const exhibit& e) {
    if (e.race.empty()) return;  // no chance has to do with a crash
    odds o{.what = &e, .found = 0, .seeds = seeds, .median = 0, .worst = 0};
    std::vector<std::uint64_t> needed;
    for (std::uint32_t seed = 1; seed <= seeds && !stopped(options); ++seed)
      if (const showing s = g.explore(e, {.bug = &e.bug, .check_locks = false}, seed, false); s.found && s.judged)
        needed.push_back(s.needed);
    if (stopped(options)) return;
    std::ranges::sort(needed);
    o.found = static_cast<std::uint32_t>(needed.size());
    if (!needed.empty()) {
      o.median = needed[needed.size() / 2];
      o.worst = needed.back();
    }
    tell(o);
  });
}

}  // namespace xip::exhibits
