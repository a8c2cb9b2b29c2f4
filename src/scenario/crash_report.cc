// Crashed workloads as text, JSON and JUnit XML.
#include "scenario/crash_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "explore/markup.h"
#include "scenario/text.h"

namespace xip::scenario {
namespace {

using explore::escaped;
using nlohmann::json;

std::string step_name(const crash::workload& w, std::uint32_t step) {
  if (step >= w.steps.size()) return "no step";
  const std::string task = crash::tasks_of(w) > 1 ? fmt::format(" (task {})", w.steps[step].task + 1) : "";
  return fmt::format("{}{}: {}", step + 1, task, crash::text_of(w.steps[step]));
}

std::string moment(const crash::workload& w, const crash::state_report& s) {
  if (!s.moment.empty()) return s.moment;
  const std::string before = s.before == crash::event_kind::end ? "" : fmt::format(", before its next {}", crash::event_name(s.before));
  if (!s.in_progress.empty()) return fmt::format("in step {}{}", step_name(w, s.finished), before);
  return s.finished == 0 ? "before the first step" : fmt::format("behind step {}", step_name(w, s.finished - 1));
}

// Lines that have arrived, or that are missing, whichever are fewer; neighbours of one name and step are one.
std::string lines_text(const crash::workload& w, const crash::state_report& s) {
  if (s.lines.empty()) return "nothing was on its way\n";
  const bool arrived = s.arrived <= s.missing;
  std::string text =
      fmt::format("{} on their way, {}\n", plural(s.lines.size(), "line"),
                  arrived ? fmt::format("{} arrived:", plural(s.arrived, "line")) : fmt::format("all arrived but {}:", s.missing));
  constexpr std::size_t most = 40;
  std::size_t shown = 0;
  for (const crash::flying_line& l : s.lines) {
    const auto chosen = std::ranges::find_if(l.stores, [&](const crash::flying_store& st) { return st.arrived == arrived; });
    if (chosen == l.stores.end()) continue;
    if (shown++ == most) return text + "  ...\n";
    text += fmt::format("  {} ({} bytes at {}), {} of step {}\n", l.name.empty() ? "line" : l.name, l.bytes, l.offset,
                        crash::event_name(chosen->kind), step_name(w, chosen->operation));
  }
  return text;
}

std::string schedule_text(const crash::state_report& s) {
  std::string text = s.schedule.empty() ? "" : "the schedule:\n";
  for (const std::string& turn : s.schedule) text += fmt::format("  {}\n", turn);
  return text;
}

std::string state_text(const crash::workload& w, const crash::state_report& s) {
  if (s.uncrashed) return schedule_text(s);
  return fmt::format("the power fails {}; {}found:\n{}{}", moment(w, s), lines_text(w, s),
                     indented(s.meaning.empty() ? "nothing\n" : s.meaning, "  "), schedule_text(s));
}

std::string failure_text(const crash::workload& w, const crash::found_failure& f, const char* program) {
  std::string text = indented(f.minimised.failure, "    ");
  text += indented(state_text(w, f.minimised), "    ");
  text += fmt::format("    {} --replay {}\n", program, f.minimised.token);
  return text;
}

// The workload with fewer calls; its token goes with a file of that name.
std::string least_text(const crash::crash_campaign::smaller& least, const char* program) {
  const std::size_t calls = least.what.setup.size() + least.what.steps.size();
  return fmt::format("  the same with {}, as {}:\n", plural(calls, "call"), least.what.name) +
         indented(crash::text_of(least.what), "    | ") + failure_text(least.what, least.found.report.failures.front(), program);
}

json state_json(const crash::workload& w, const crash::state_report& s) {
  json lines = json::array();
  for (const crash::flying_line& l : s.lines) {
    json stores = json::array();
    for (const crash::flying_store& st : l.stores)
      stores.push_back({{"kind", crash::event_name(st.kind)},
                        {"task", st.task + 1},
                        {"step", st.operation < w.steps.size() ? json(st.operation + 1) : json()},
                        {"offset", st.offset},
                        {"bytes", st.bytes},
                        {"arrived", st.arrived}});
    lines.push_back({{"offset", l.offset}, {"bytes", l.bytes}, {"name", l.name}, {"stores", stores}});
  }
  json state = {{"failure", s.failure}, {"moment", moment(w, s)}, {"finished", s.finished}, {"arrived", s.arrived},
                {"missing", s.missing}, {"meaning", s.meaning},   {"lines", lines},         {"token", s.token}};
  if (s.uncrashed) state["moment"] = nullptr;
  if (!s.schedule.empty()) state["schedule"] = s.schedule;
  return state;
}

json workload_json(const crashed_workload& w) {
  json failures = json::array();
  for (const crash::found_failure& f : w.found.failures)
    failures.push_back({{"first", state_json(w.what, f.first)}, {"minimised", state_json(w.what, f.minimised)}});
  json one = {{"name", w.what.name},
              {"workload", crash::text_of(w.what)},
              {"answers", w.answers},
              {"broken", w.found.broken},
              {"points", w.found.points},
              {"states", w.found.states},
              {"failing_states", w.found.failing_states},
              {"unique_images", w.found.unique_images},
              {"meanings", w.found.meanings},
              {"recoveries", w.found.recoveries},
              {"moments_not_in_full", w.found.cut.size()},
              {"seconds", w.found.seconds},
              {"failures", failures}};
  if (w.least)
    one["least"] = {{"name", w.least->what.name},
                    {"workload", crash::text_of(w.least->what)},
                    {"minimised", state_json(w.least->what, w.least->found.report.failures.front().minimised)}};
  if (!w.race) return one;
  one["schedules"] = w.race->schedules;
  one["histories"] = w.race->histories;
  one["unexplained"] = w.race->unexplained;
  one["all_schedules"] = w.race->complete;
  return one;
}

std::string dumped(const json& j) { return j.dump(2, ' ', false, json::error_handler_t::replace) + "\n"; }

}  // namespace

void crash_totals::add(const crashed_workload& w) {
  ++(w.found.passed() ? passed : failed);
  points += w.found.points, states += w.found.states;
  unique_images += w.found.unique_images, recoveries += w.found.recoveries, meanings += w.found.meanings;
  cut += w.found.cut.empty() ? 0 : 1;
  refused += std::ranges::any_of(w.answers, [](int answer) { return answer != 0; }) ? 1 : 0;
  seconds += w.found.seconds;
  if (!w.race) return;
  schedules += w.race->schedules, histories += w.race->histories, unexplained += w.race->unexplained;
}

std::string text_report(const crashed_workload& w, const char* program) {
  const crash::crash_report& r = w.found;
  std::string text =
      fmt::format("{} {:.2f}s{} {} at {}, {}, {}", w.what.name, r.seconds, r.passed() ? "" : " [failed]", plural(r.states, "state"),
                  plural(r.points, "moment"), plural(r.unique_images, "image"), plural(r.meanings, "meaning"));
  if (!r.cut.empty()) text += fmt::format(", {} not in full", plural(r.cut.size(), "moment"));
  if (w.race) text += fmt::format(", {}{}", w.race->complete ? "all of " : "", plural(w.race->schedules, "schedule"));
  if (w.race && w.race->unexplained != 0) text += fmt::format(", {} not judged", w.race->unexplained);
  text += '\n';
  if (r.passed()) return text;
  text += indented(crash::text_of(w.what), "    | ");
  if (!r.broken.empty()) text += indented(r.broken, "    ");
  for (const crash::found_failure& f : r.failures) text += failure_text(w.what, f, program);
  if (w.least) text += least_text(*w.least, program);
  return text;
}

std::string closing_line(const crash_totals& all, const crash_run& how) {
  std::string text = how.interrupted_by.empty() ? "" : fmt::format("interrupted by {}: ", how.interrupted_by);
  text += fmt::format("{} passed, {} failed; {}, {:.0f}/s, {}, {:.0f} recovered/s, {}", plural(all.passed, "workload"), all.failed,
                      plural(all.states, "state"), all.states_per_second(), plural(all.unique_images, "unique image"),
                      all.recoveries_per_second(), plural(all.meanings, "meaning"));
  if (all.fsck_images != 0) text += fmt::format("; e2fsck on {}, {:.0f}/s", plural(all.fsck_images, "image"), all.fsck_per_second());
  if (all.cut != 0) text += fmt::format("; {} with moments not in full", plural(all.cut, "workload"));
  if (all.refused != 0) text += fmt::format("; {} with calls that were refused", plural(all.refused, "workload"));
  if (all.schedules != 0)
    text += fmt::format("; {} of two tasks, {:.0f}/s, {} of which did something new", plural(all.schedules, "schedule"),
                        all.seconds > 0 ? static_cast<double>(all.schedules) / all.seconds : 0.0, all.histories);
  if (all.unexplained != 0) text += fmt::format(", {} not judged", all.unexplained);
  text += fmt::format("; {}, unit {}", how.device, how.unit);
  if (!how.exhibit.empty()) text += fmt::format(", with exhibit {}", how.exhibit);
  if (how.part.count != 1) text += fmt::format(", part {} of {}", how.part.index + 1, how.part.count);
  if (!how.out_of_time.empty()) text += fmt::format("; out of time, {} workloads not run", how.out_of_time);
  return text + "\n";
}

std::string json_report(const std::vector<crashed_workload>& failed, const crash_totals& all, const crash_run& how) {
  json list = json::array();
  for (const crashed_workload& w : failed) list.push_back(workload_json(w));
  json report = {{"failures", list},
                 {"passed", all.passed},
                 {"failed", all.failed},
                 {"points", all.points},
                 {"states", all.states},
                 {"states_per_second", all.states_per_second()},
                 {"unique_images", all.unique_images},
                 {"recoveries", all.recoveries},
                 {"recoveries_per_second", all.recoveries_per_second()},
                 {"meanings", all.meanings},
                 {"not_in_full", all.cut},
                 {"with_refused_calls", all.refused},
                 {"fsck_images", all.fsck_images},
                 {"fsck_seconds", all.fsck_seconds},
                 {"fsck_per_second", all.fsck_per_second()},
                 {"seconds", all.seconds},
                 {"unit", how.unit},
                 {"device", how.device},
                 {"seed", how.seed},
                 {"shard", fmt::format("{}/{}", how.part.index + 1, how.part.count)}};
  if (all.schedules != 0) report["schedules"] = all.schedules, report["histories"] = all.histories, report["unexplained"] = all.unexplained;
  if (!how.exhibit.empty()) report["exhibit"] = how.exhibit;
  if (!how.interrupted_by.empty()) report["interrupted_by"] = how.interrupted_by;
  if (!how.out_of_time.empty()) report["not_run"] = how.out_of_time;
  return dumped(report);
}

std::string junit_report(const std::vector<crashed_workload>& failed, const std::vector<std::pair<std::string, double>>& passed,
                         const char* program) {
  std::string cases;
  double seconds = 0;
  for (const auto& [name, took] : passed) {
    cases += fmt::format("    <testcase classname=\"crash\" name=\"{}\" time=\"{:.3f}\"/>\n", escaped(name), took);
    seconds += took;
  }
  for (const crashed_workload& w : failed) {
    const std::string& why = w.found.failures.empty() ? w.found.broken : w.found.failures.front().minimised.failure;
    cases += fmt::format("    <testcase classname=\"crash\" name=\"{}\" time=\"{:.3f}\"><failure message=\"{}\">{}</failure></testcase>\n",
                         escaped(w.what.name), w.found.seconds, escaped(why), escaped(text_report(w, program)));
    seconds += w.found.seconds;
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"xip crash\" tests=\"{0}\" failures=\"{1}\">\n"
      "  <testsuite name=\"crash\" tests=\"{0}\" failures=\"{1}\" time=\"{2:.3f}\">\n{3}  </testsuite>\n</testsuites>\n",
      failed.size() + passed.size(), failed.size(), seconds, cases);
}

std::string text_report(const crash::workload& w, const crash::state_report& s) {
  const std::string what = state_text(w, s);
  if (s.failure.empty()) return fmt::format("{} passes: {}", w.name, what);
  return fmt::format("{} [failed] {}\n{}", w.name, s.failure, indented(what, "    "));
}

std::string json_report(const crash::workload& w, const crash::state_report& s) {
  json one = state_json(w, s);
  one["name"] = w.name;
  return dumped(one);
}

}  // namespace xip::scenario
