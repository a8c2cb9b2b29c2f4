#include <xip/crash/page.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "crash/embedded.h"
#include "explore/markup.h"

namespace xip::crash {
namespace {

using explore::escaped;

constexpr double column = 20, left = 76, calls_at = 22, lane = 22, below_calls = 62, flying_height = 60;
constexpr std::size_t most_lines = 400;  // of a table

std::string call_name(const workload& w, std::uint32_t number) {
  if (number >= w.steps.size()) return "no call";
  const std::string task = tasks_of(w) > 1 ? fmt::format(" (task {})", w.steps[number].task + 1) : "";
  return fmt::format("{}{}: {}", number + 1, task, text_of(w.steps[number]));
}

std::string where(const workload& w, const moment_summary& m) {
  if (tasks_of(w) > 1) return m.in_call ? fmt::format("in {}", m.in_progress) : fmt::format("in no call, {} made", m.finished);
  if (m.in_call) {
    const std::string before = m.before == event_kind::end ? "" : fmt::format(", before its next {}", event_name(m.before));
    return fmt::format("in call {}{}", call_name(w, m.finished), before);
  }
  return m.finished == 0 ? "before the first call" : fmt::format("behind call {}", call_name(w, m.finished - 1));
}

std::string_view class_of(const classifier& classify, std::uint64_t offset) {
  const line_kind kind = classify ? classify(offset).kind : line_kind::metadata;
  return kind == line_kind::data ? "data" : kind == line_kind::checked ? "checked" : "metadata";
}

// The picture. X of event I is its column.
class picture {
 public:
  picture(const workload& w, const history& h, const moment_recorder& moments, const device_map& device)
      : work_{w},
        history_{h},
        moments_{moments},
        device_{device},
        stores_at_{below_calls + lane * (tasks_of(w) - 1)},
        flying_at_{stores_at_ + 68},
        moments_at_{flying_at_ + 18},
        height_{moments_at_ + 22} {}

  [[nodiscard]] std::string draw() {
    const double width = left + column * static_cast<double>(history_.events().size() + 2);
    out_ = fmt::format("<svg width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{} events of {} calls\">\n", width,
                       height_, width, height_, history_.events().size(), history_.operations().size());
    for (const auto& [name, y] :
         {std::pair{"calls", calls_at + 12}, {"stores", stores_at_ + 8}, {"on their way", flying_at_ - 20}, {"moments", moments_at_ + 4}})
      out_ += fmt::format("<text class=\"dim\" x=\"4\" y=\"{}\">{}</text>\n", y, name);
    draw_calls();
    draw_events();
    draw_moments();
    return out_ + "</svg>";
  }

 private:
  [[nodiscard]] static double x_of(std::size_t event) noexcept { return left + column * static_cast<double>(event); }

  void draw_calls() {
    for (const operation& o : history_.operations()) {
      const std::size_t end = o.ended == operation::never ? history_.events().size() : o.ended;
      const bool failed = std::ranges::any_of(moments_.moments(), [&](const auto& known) {
        return known.second.failed != 0 && known.second.event > o.begun && known.second.event <= end;
      });
      const double x = x_of(o.begun), wide = std::max(column, x_of(end) - x);
      out_ += fmt::format(
          "<g><title>{0}</title><rect class=\"call{1}\" x=\"{2}\" y=\"{3}\" width=\"{4}\" height=\"18\" rx=\"3\"/>"
          "<svg x=\"{2}\" y=\"{3}\" width=\"{4}\" height=\"18\"><text x=\"4\" y=\"13\">{0}</text></svg></g>\n",
          escaped(tasks_of(work_) > 1 ? o.text : call_name(work_, o.index)), failed ? " failed" : "", x, calls_at + lane * o.task, wide);
    }
  }

  void draw_events() {
    for (std::size_t i = 0; i < history_.events().size(); ++i) {
      const event& e = history_.events()[i];
      const double x = x_of(i) + column / 2;
      switch (e.kind) {
        case event_kind::store:
        case event_kind::cached_store:
        case event_kind::request: {
          const double high = 6 + 3 * std::log2(1 + static_cast<double>(e.bytes) / 64);
          out_ += fmt::format("<line class=\"store {}\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"><title>{}</title></line>\n",
                              class_of(device_.classify, e.offset), x, x, stores_at_ + 14, stores_at_ + 14 - high, escaped(story_of(e)));
          break;
        }
        case event_kind::fence:
        case event_kind::flush_cache:
          out_ += fmt::format("<line class=\"fence\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"><title>{}</title></line>\n", x, x,
                              stores_at_ - 14, flying_at_, event_name(e.kind));
          break;
        default:
          break;
      }
    }
  }

  // What is stored, where, what lies there, and whose store it is.
  [[nodiscard]] std::string story_of(const event& e) const {
    const std::string there = device_.name_of ? fmt::format(" ({})", device_.name_of(e.offset)) : "";
    return fmt::format("{}: {} bytes at {}{}, of {}", event_name(e.kind), e.bytes, e.offset, there, owner_of(e));
  }
  [[nodiscard]] std::string owner_of(const event& e) const {
    if (e.operation == event::no_operation) return "no call";
    const operation& o = history_.operations()[e.operation];
    return tasks_of(work_) > 1 ? o.text : fmt::format("call {}", call_name(work_, o.index));
  }

  void draw_moments() {
    std::size_t most = 1;
    for (const auto& [number, m] : moments_.moments()) most = std::max(most, m.lines);
    for (const auto& [number, m] : moments_.moments()) {
      const double x = x_of(m.event) + (m.before == event_kind::end ? 0 : column / 2);
      const double high = flying_height * 0.7 * static_cast<double>(m.lines) / static_cast<double>(most);
      out_ += fmt::format("<rect class=\"flying\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", x - column / 2, flying_at_ - high,
                          column, high);
      out_ += fmt::format(
          "<circle class=\"moment{}\" cx=\"{}\" cy=\"{}\" r=\"{:.1f}\"><title>moment {}: {} lines on their way, {} states, {} failed; "
          "{}</title></circle>\n",
          m.failed != 0 ? " failed" : "", x, moments_at_, std::min(6.0, 2 + std::log2(1 + static_cast<double>(m.states)) / 2), number,
          m.lines, m.states, m.failed, escaped(where(work_, m)));
    }
  }

  const workload& work_;
  const history& history_;
  const moment_recorder& moments_;
  const device_map& device_;
  const double stores_at_, flying_at_, moments_at_, height_;
  std::string out_;
};

std::string failure_section(const crash_report& r, const workload& w, const std::string& command) {
  if (!r.broken.empty()) return fmt::format("<pre class=\"why\">{}</pre>\n", escaped(r.broken));
  if (r.failures.empty()) return {};
  const state_report& s = r.failures.front().minimised;
  const moment_summary m{.event = s.event, .before = s.before, .finished = s.finished, .in_call = !s.in_progress.empty()};
  std::string text = fmt::format("<pre class=\"why\">{}</pre>\n", escaped(s.failure));
  if (!s.uncrashed)
    text += fmt::format("<p class=\"help\">The power fails {}; of {} lines on their way {} have arrived. Found:</p>\n<pre>{}</pre>\n",
                        escaped(s.moment.empty() ? where(w, m) : s.moment), s.lines.size(), s.arrived, escaped(s.meaning));
  if (!s.schedule.empty())
    text += fmt::format("<p class=\"help\">The tasks take turns:</p>\n<pre>{}</pre>\n",
                        escaped(fmt::format("{}", fmt::join(s.schedule, "\n"))));
  if (!command.empty()) text += fmt::format("<p class=\"help\">Again:</p>\n<pre>{}</pre>\n", escaped(command));
  return text;
}

// The lines of the first failure and whose they were.
std::string lines_section(const crash_report& r, const workload& w) {
  if (r.failures.empty()) return {};
  const state_report& s = r.failures.front().minimised;
  std::string rows;
  std::size_t shown = 0;
  for (const flying_line& l : s.lines)
    for (const flying_store& st : l.stores) {
      if (shown++ == most_lines) break;
      rows +=
          fmt::format("<tr class=\"{}\"><td>{}</td><td>{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
                      st.arrived ? "arrived" : "lost", st.arrived ? "arrived" : "lost",
                      escaped(l.name.empty() ? fmt::format("byte {}", l.offset) : l.name),
                      escaped(fmt::format("{} of call {}", event_name(st.kind), call_name(w, st.operation))), st.offset, st.bytes);
    }
  const std::string rest = shown > most_lines ? fmt::format("<p class=\"help\">The first {} of {}.</p>\n", most_lines, shown) : "";
  return fmt::format(
      "<section aria-labelledby=\"lines\">\n<h2 id=\"lines\">What was on its way, and what of it arrived</h2>\n{}<div class=\"table\" "
      "tabindex=\"0\" role=\"region\" aria-label=\"Table "
      "of lines\">\n<table>\n<thead><tr><th></th><th>what</th><th>whose</th><th>at "
      "byte</th><th>bytes</th></tr></thead>\n<tbody>\n{}</tbody>\n</table>\n</div>\n</section>\n",
      rest, rows);
}

std::string verdict_of(const crash_report& r) {
  if (!r.passed()) return "<p class=\"verdict failed\">A state failed.</p>";
  if (r.cut.empty()) return "<p class=\"verdict passed\">Every state passed.</p>";
  return fmt::format("<p class=\"verdict passed\">Every state that was run passed; of {} moment{} not all were.</p>", r.cut.size(),
                     r.cut.size() == 1 ? "" : "s");
}

std::string moment_rows(const workload& w, const moment_recorder& moments) {
  std::string rows;
  for (const auto& [number, m] : moments.moments())
    rows += fmt::format(
        "<tr{}><td class=\"number\">{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td "
        "class=\"number\">{}</td></tr>\n",
        m.failed != 0 ? " class=\"failed\"" : "", number, escaped(where(w, m)), m.lines, m.states, m.failed);
  return rows;
}

}  // namespace

void moment_recorder::on_state(const state_seen& s) {
  if (!moments_.empty() && s.at.point < moments_.rbegin()->first) moments_.clear();
  moment_summary& m = moments_[s.at.point];
  m.event = s.at.event;
  m.before = s.at.before;
  m.finished = s.at.finished;
  m.in_call = !s.at.in_progress.empty();
  m.in_progress.clear();
  for (const std::uint32_t slot : s.at.in_progress) m.in_progress += (m.in_progress.empty() ? "" : ", ") + s.at.operations[slot].text;
  m.lines = s.lines;
  ++m.states;
  m.failed += s.failure.empty() ? 0 : 1;
}

std::string crash_page(const workload& w, const history& h, const crash_report& r, const moment_recorder& moments, const device_map& device,
                       const std::string& command) {
  const explore::page_part parts[] = {
      {"title", escaped(w.name)},
      {"style", std::string{page_css_file}},
      {"verdict", verdict_of(r)},
      {"facts", fmt::format("{} states at {} moments, {} images, {} meanings; {} bytes reach the medium at once.", r.states, r.points,
                            r.unique_images, r.meanings, r.unit)},
      {"failure", failure_section(r, w, command)},
      {"picture", picture{w, h, moments, device}.draw()},
      {"lines", lines_section(r, w)},
      {"moments", moment_rows(w, moments)},
      {"workload", escaped(text_of(w))},
  };
  return explore::filled_page(page_html_file, parts);
}

}  // namespace xip::crash
