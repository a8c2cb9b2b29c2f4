// Results as text and JSON.
#include "scenario/report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "scenario/text.h"

namespace xip::scenario {
namespace {

constexpr std::size_t shown_log_lines = 12;

// The last lines of a log.
std::string_view tail(std::string_view log) {
  std::size_t lines = 0;
  for (std::size_t at = log.size(); at-- > 0;)
    if (log[at] == '\n' && at + 1 < log.size() && ++lines == shown_log_lines) return log.substr(at + 1);
  return log;
}

// "expected: " on one line, or the text below it.
std::string labelled(std::string_view label, const std::string& text) {
  if (text.empty()) return {};
  if (text.find('\n') == std::string::npos) return fmt::format("      {:<9} {}\n", label, text);
  return fmt::format("      {}\n{}", label, indented(text, "        "));
}

std::string failure_text(const failure& f) {
  return fmt::format("    {}{}\n{}{}", f.where.empty() ? "" : f.where + ": ", f.what, labelled("expected:", f.expected),
                     labelled("found:", f.found));
}

std::string failed_text(const outcome& o) {
  std::string text;
  for (const failure& f : o.failures) text += failure_text(f);
  if (!o.log.empty()) text += "    it printed\n" + indented(tail(o.log), "      ");
  if (!o.kept_image.empty()) text += fmt::format("    image: {}\n", o.kept_image);
  if (!o.kept_log.empty()) text += fmt::format("    log:   {}\n", o.kept_log);
  text += fmt::format("    seed:  {}\n", o.seed);
  return text;
}

std::string_view status_name(verdict how) {
  switch (how) {
    case verdict::passed:
      return "passed";
    case verdict::failed:
      return "failed";
    case verdict::not_run:
      return "not run";
    case verdict::interrupted:
      break;
  }
  return "interrupted";
}

}  // namespace

totals count(const std::vector<finished>& all) {
  totals t;
  for (const finished& f : all) switch (f.result.how) {
      case verdict::passed:
        ++t.passed;
        break;
      case verdict::failed:
        ++t.failed;
        break;
      case verdict::not_run:
        ++t.skipped;
        break;
      case verdict::interrupted:
        ++t.interrupted;
        break;
    }
  return t;
}

std::string text_report(const finished& f) {
  const std::string head = fmt::format("{} [{}]", f.what->name, name_of(f.kind));
  switch (f.result.how) {
    case verdict::passed:
      return fmt::format("{} {:.2f}s\n", head, f.result.seconds);
    case verdict::not_run:
      return fmt::format("{} [not run] {}\n", head, f.result.why);
    case verdict::interrupted:
      return fmt::format("{} {:.2f}s [interrupted]\n", head, f.result.seconds);
    case verdict::failed:
      break;
  }
  return fmt::format("{} {:.2f}s [failed]\n{}", head, f.result.seconds, failed_text(f.result));
}

std::string closing_line(const totals& t, const interruption& ended) {
  const std::string numbers = fmt::format("{} passed, {} failed, {} skipped", t.passed, t.failed, t.skipped);
  if (ended.signal.empty()) return numbers + "\n";
  return fmt::format("interrupted by {}: {}, {} interrupted, {} not started\n", ended.signal, numbers, t.interrupted, ended.not_started);
}

std::string json_report(const std::vector<finished>& all, std::uint64_t seed, const interruption& ended) {
  using nlohmann::json;
  json scenarios = json::array();
  for (const finished& f : all) {
    json one = {{"name", f.what->name}, {"device", name_of(f.kind)}, {"status", status_name(f.result.how)}, {"seconds", f.result.seconds}};
    if (f.result.how == verdict::not_run) one["why"] = f.result.why;
    if (f.result.how == verdict::failed) {
      json failures = json::array();
      for (const failure& w : f.result.failures)
        failures.push_back({{"where", w.where}, {"what", w.what}, {"expected", w.expected}, {"found", w.found}});
      one["failures"] = failures;
      one["image"] = f.result.kept_image;
      one["log"] = f.result.kept_log;
      one["seed"] = f.result.seed;
    }
    scenarios.push_back(std::move(one));
  }
  const totals t = count(all);
  json report = {{"scenarios", scenarios}, {"passed", t.passed}, {"failed", t.failed}, {"skipped", t.skipped}, {"seed", seed}};
  if (!ended.signal.empty()) {
    report["interrupted_by"] = ended.signal;
    report["interrupted"] = t.interrupted;
    report["not_started"] = ended.not_started;
  }
  return report.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace xip::scenario
