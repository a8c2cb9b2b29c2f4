// The page: a skeleton, the style and the script from files of their own, the table of steps as HTML, and the lanes as data for the script.
#include <xip/explore/timeline.h>

#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "explore/embedded.h"
#include "explore/markup.h"
#include "explore/timeline_model.h"

namespace xip::explore {
namespace {

using nlohmann::json;

[[nodiscard]] std::string_view use_name(timeline_model::block_use use) noexcept {
  static constexpr std::array<std::string_view, 5> names{"free", "pending", "metadata", "file", "in-use"};
  return names.at(static_cast<std::size_t>(use));
}

[[nodiscard]] json lock_lanes(const timeline_model& m) {
  json lanes = json::array();
  for (const auto& lane : m.locks) {
    json holds = json::array();
    json waits = json::array();
    for (const auto& h : lane.holds) holds.push_back({h.task, h.from, h.to, h.exclusive});
    for (const auto& w : lane.waits) waits.push_back({w.task, w.from, w.to, w.exclusive});
    lanes.push_back({{"name", lane.name}, {"holds", holds}, {"waits", waits}, {"contended", lane.contended}});
  }
  return lanes;
}

[[nodiscard]] json size_lanes(const timeline_model& m) {
  json lanes = json::array();
  for (const auto& lane : m.sizes) {
    json steps = json::array();
    for (const auto& s : lane.steps) steps.push_back({s.from, s.to, s.bytes});
    lanes.push_back({{"inode", lane.inode}, {"steps", steps}});
  }
  return lanes;
}

[[nodiscard]] json block_lanes(const timeline_model& m) {
  json lanes = json::array();
  for (const auto& lane : m.blocks) {
    json spans = json::array();
    json accesses = json::array();
    for (const auto& s : lane.spans) spans.push_back({s.from, s.to, use_name(s.use), s.inode});
    for (const auto& a : lane.accesses) accesses.push_back({a.at, a.write});
    lanes.push_back({{"first", lane.first}, {"last", lane.last}, {"spans", spans}, {"accesses", accesses}});
  }
  return lanes;
}

// The index of the event where it failed; the number of events if the check did, after them; none if it passed.
[[nodiscard]] json bad_event(const schedule_report& r) {
  if (r.failed == failure_kind::none) return nullptr;
  for (std::size_t i = r.trace.size(); i-- != 0;)
    if (r.trace[i].kind == event_kind::fail) return i;
  return r.trace.size();
}

// Nothing in it can end the element it stands in.
[[nodiscard]] std::string data_of(const schedule_report& r, const timeline_model& m) {
  json events = json::array();
  for (const event& e : r.trace) events.push_back({e.task, event_name(e.kind)});
  json runs = json::array();
  for (const auto& run : m.runs) runs.push_back({run.task, run.from, run.to});
  json switches = json::array();
  for (const auto& s : m.switches) switches.push_back({s.at, s.from, s.to, s.preemption});
  const json all = {{"tasks", r.tasks},         {"events", events},       {"runs", runs},
                    {"switches", switches},     {"locks", lock_lanes(m)}, {"sizes", size_lanes(m)},
                    {"blocks", block_lanes(m)}, {"bad", bad_event(r)}};
  std::string text;
  for (const char c : all.dump(-1, ' ', false, json::error_handler_t::replace)) {
    if (c == '<')
      text += "\\u003c";
    else
      text += c;
  }
  return text;
}

[[nodiscard]] std::string rows_of(const schedule_report& r, const timeline_model& m) {
  std::string rows;
  auto next_switch = m.switches.begin();
  for (std::size_t i = 0; i < r.trace.size(); ++i) {
    const event& e = r.trace[i];
    std::string says = sentence(e, r.tasks);
    if (next_switch != m.switches.end() && next_switch->at == i) {
      if (next_switch->preemption) says += fmt::format("; '{}' was stopped although it could go on", r.tasks.at(next_switch->from));
      ++next_switch;
    }
    const std::string_view task = e.task < r.tasks.size() ? std::string_view{r.tasks[e.task]} : "?";
    rows += fmt::format(
        "<tr id=\"e{}\" class=\"k-{}\" data-task=\"{}\"><td>{}</td><td>{}</td><td><i class=\"swatch t{}\"></i>{}</td><td>{}</td></tr>\n", i,
        event_name(e.kind), e.task, i + 1, e.step, e.task % 8, escaped(task), escaped(says));
  }
  return rows;
}

[[nodiscard]] std::string_view kind_sentence(failure_kind kind) noexcept {
  static constexpr std::array<std::string_view, 9> sentences{
      "This schedule passed.",
      "It fails already while it is set up:",
      "It fails: a task found something wrong.",
      "It fails: when all tasks had ended, the check of the result found something wrong.",
      "It fails: a checker found something wrong while a task ran.",
      "It fails: a deadlock. No task can go on, each waits for a lock that another holds.",
      "It fails: a lost wake-up. No task can go on, and nobody is left to wake those who sleep.",
      "It fails: a livelock. The tasks run and run, and come to no end.",
      "It cannot be judged: the same choices led elsewhere the second time.",
  };
  return sentences.at(static_cast<std::size_t>(kind));
}

[[nodiscard]] std::string verdict_of(const schedule_report& r) {
  if (r.failed == failure_kind::none) return "<p class=\"verdict passed\">This schedule passed.</p>";
  return fmt::format("<p class=\"verdict failed\">{}</p>\n<pre class=\"why\">{}</pre>", escaped(kind_sentence(r.failed)), escaped(r.text));
}

[[nodiscard]] std::string replay_of(const timeline_header& header, const schedule_report& r) {
  const std::string& line = header.replay.empty() ? r.token : header.replay;
  if (line.empty()) return {};
  return fmt::format(
      "<p class=\"replay\"><label for=\"replay\">{}</label><input id=\"replay\" readonly value=\"{}\"><button type=\"button\" id=\"copy\">"
      "Copy</button></p>",
      header.replay.empty() ? "Token of this schedule" : "Run exactly this schedule again", escaped(line));
}

[[nodiscard]] std::string facts_of(const schedule_report& r) {
  return fmt::format("{} tasks, {} steps, {} preemption{} (a task was stopped although it could go on), {} events", r.tasks.size(), r.steps,
                     r.preemptions, r.preemptions == 1 ? "" : "s", r.trace.size());
}

}  // namespace

std::string timeline_html(const timeline_header& header, const schedule_report& r) {
  const timeline_model m = model_of(r);
  const page_part parts[] = {
      {"title", escaped(header.title)},
      {"about", header.about.empty() ? "" : "<p class=\"about\">" + escaped(header.about) + "</p>"},
      {"verdict", verdict_of(r)},
      {"replay", replay_of(header, r)},
      {"facts", escaped(facts_of(r))},
      {"style", std::string{timeline_css_file}},
      {"script", std::string{timeline_js_file}},
      {"data", data_of(r, m)},
      {"rows", rows_of(r, m)},
  };
  return filled_page(timeline_html_file, parts);
}

}  // namespace xip::explore
