// Explorations as text and JSON.
#include "scenario/explore_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "scenario/text.h"

namespace xip::scenario {
namespace {

using nlohmann::json;

std::string command_line(const char* program, const scenario& what, const explore::schedule_report& s) {
  return fmt::format("{} {} --replay {}", program, what.name, s.token);
}

std::string failure_text(const explored& e, const explore::found_failure& f, const char* program) {
  std::string text = fmt::format("    {}, in schedule {} ({})\n", explore::failure_name(f.first.failed), f.schedule, f.strategy);
  text += indented(f.minimised.text, "      ");
  text += fmt::format("    {}\n", command_line(program, *e.what, f.first));
  if (f.minimised.token != f.first.token)
    text += fmt::format("    minimised to {}, {}:\n    {}\n", plural(f.minimised.preemptions, "preemption"),
                        plural(f.minimised.deviations, "deviation"), command_line(program, *e.what, f.minimised));
  return text;
}

json schedule_json(const explore::schedule_report& s) {
  json one = {{"failed", explore::failure_name(s.failed)},
              {"text", s.text},
              {"steps", s.steps},
              {"preemptions", s.preemptions},
              {"deviations", s.deviations},
              {"trace_hash", fmt::format("{:016x}", s.trace_hash)},
              {"token", s.token}};
  return one;
}

json race_json(const explored& e) {
  const explore::report& r = e.found;
  json stages = json::array(), failures = json::array(), points = json::object(), pairs = json::array();
  for (const explore::stage_report& s : r.stages)
    stages.push_back({{"strategy", s.strategy}, {"schedules", s.schedules}, {"exhausted", s.exhausted}});
  for (const explore::found_failure& f : r.failures)
    failures.push_back(
        {{"strategy", f.strategy}, {"schedule", f.schedule}, {"first", schedule_json(f.first)}, {"minimised", schedule_json(f.minimised)}});
  for (std::size_t i = 0; i < point_count; ++i)
    if (r.switched_at[i] != 0) points[std::string{point_name(static_cast<point>(i))}] = r.switched_at[i];
  for (const explore::point_pair& p : r.point_pairs) pairs.push_back({p.from, p.to});
  return {{"name", e.what->name},
          {"status", r.passed() ? "passed" : "failed"},
          {"schedules", r.schedules},
          {"failed_schedules", r.failed_schedules},
          {"seconds", r.seconds},
          {"per_second", r.per_second()},
          {"steps", r.steps},
          {"complete", r.complete},
          {"stages", stages},
          {"point_pairs", pairs},
          {"switched_at", points},
          {"trace_hash", fmt::format("{:016x}", r.trace_hash)},
          {"images", e.images},
          {"crash_states", e.crash_states},
          {"state_bytes", e.state_bytes},
          {"failures", failures}};
}

std::string dumped(const json& j) { return j.dump(2, ' ', false, json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string text_report(const explored& e, const char* program) {
  const explore::report& r = e.found;
  std::string stages;
  for (const explore::stage_report& s : r.stages)
    stages += fmt::format("{}{} {}{}", stages.empty() ? "" : ", ", s.strategy, s.schedules, s.exhausted ? " (all)" : "");
  std::string text = fmt::format("{} {:.2f}s{} {}, {:.0f}/s, {}, {}\n", e.what->name, r.seconds, r.passed() ? "" : " [failed]",
                                 stages.empty() ? "no schedule" : stages, r.per_second(), plural(r.point_pairs.size(), "point pair"),
                                 plural(e.images, "image"));
  if (e.crash_states != 0) text.insert(text.size() - 1, ", " + plural(e.crash_states, "crash state"));
  for (const explore::found_failure& f : r.failures) text += failure_text(e, f, program);
  return text;
}

std::string closing_line(const std::vector<explored>& all, const exploration& how) {
  std::uint64_t schedules = 0, passed = 0;
  double seconds = 0;
  for (const explored& e : all) {
    schedules += e.found.schedules;
    seconds += e.found.seconds;
    passed += e.found.passed() ? 1 : 0;
  }
  std::string text = how.interrupted_by.empty() ? "" : fmt::format("interrupted by {}: ", how.interrupted_by);
  text += fmt::format("{} passed, {} failed; {}, {:.0f}/s", plural(passed, "race"), all.size() - passed, plural(schedules, "schedule"),
                      seconds > 0 ? static_cast<double>(schedules) / seconds : 0.0);
  if (!how.exhibit.empty()) text += fmt::format(", with exhibit {}", how.exhibit);
  if (how.unchecked) text += ", lock checking off";
  if (how.part.count != 1) text += fmt::format(", part {} of {}", how.part.index + 1, how.part.count);
  return text + "\n";
}

std::string json_report(const std::vector<explored>& all, const exploration& how) {
  json races = json::array();
  std::uint64_t failed = 0;
  for (const explored& e : all) {
    races.push_back(race_json(e));
    failed += e.found.passed() ? 0 : 1;
  }
  json report = {{"races", races},
                 {"passed", all.size() - failed},
                 {"failed", failed},
                 {"seed", how.seed},
                 {"shard", fmt::format("{}/{}", how.part.index + 1, how.part.count)},
                 {"image", fmt::format("{:08x}", how.image)}};
  if (!how.exhibit.empty()) report["exhibit"] = how.exhibit;
  if (how.unchecked) report["unchecked"] = true;
  if (!how.interrupted_by.empty()) report["interrupted_by"] = how.interrupted_by;
  return dumped(report);
}

std::string text_report(const scenario& what, const explore::schedule_report& s) {
  const std::string size =
      fmt::format("{}, {}, {}", plural(s.steps, "step"), plural(s.preemptions, "preemption"), plural(s.deviations, "deviation"));
  if (s.failed == explore::failure_kind::none) return fmt::format("{} passes: {}\n", what.name, size);
  return fmt::format("{} [failed] {}: {}\n{}", what.name, explore::failure_name(s.failed), size, indented(s.text, "      "));
}

std::string json_report(const scenario& what, const explore::schedule_report& s) {
  json one = schedule_json(s);
  one["name"] = what.name;
  json trace = json::array();
  for (const explore::event& e : s.trace) trace.push_back(explore::format_event(e, s.tasks));
  one["trace"] = trace;
  return dumped(one);
}

}  // namespace xip::scenario
