// Results as JUnit XML: a suite for each device.
#include <algorithm>

#include <fmt/format.h>

#include "explore/markup.h"
#include "scenario/report.h"

namespace xip::scenario {
namespace {

using explore::escaped;

std::string case_element(const finished& f, const interruption& ended) {
  const std::string_view name = f.what->name;
  const std::string directory{name.substr(0, name.find('/'))};
  const std::string head = fmt::format(R"(    <testcase classname="{}.{}" name="{}" time="{:.3f}")", name_of(f.kind), escaped(directory),
                                       escaped(std::string{name}), f.result.seconds);
  if (f.result.how == verdict::passed) return head + "/>\n";
  if (f.result.how == verdict::not_run) return fmt::format("{}><skipped message=\"{}\"/></testcase>\n", head, escaped(f.result.why));
  if (f.result.how == verdict::interrupted)
    return fmt::format("{}><error message=\"interrupted by {}\"/></testcase>\n", head, ended.signal);
  const std::string what = f.result.failures.empty() ? "" : f.result.failures.front().what;
  return fmt::format("{}><failure message=\"{}\">{}</failure></testcase>\n", head, escaped(what), escaped(text_report(f)));
}

std::string suite_element(const std::vector<finished>& all, device_kind kind, const interruption& ended) {
  std::vector<finished> part;
  std::ranges::copy_if(all, std::back_inserter(part), [&](const finished& f) { return f.kind == kind; });
  if (part.empty()) return {};
  const totals t = count(part);
  double seconds = 0;
  std::string cases;
  for (const finished& f : part) {
    seconds += f.result.seconds;
    cases += case_element(f, ended);
  }
  return fmt::format(
      "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3f}\">\n{}  </testsuite>\n",
      name_of(kind), part.size(), t.failed, t.interrupted, t.skipped, seconds, cases);
}

}  // namespace

std::string junit_report(const std::vector<finished>& all, const interruption& ended) {
  const totals t = count(all);
  std::string text = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"xip check\" tests=\"{}\" failures=\"{}\" errors=\"{}\" "
      "skipped=\"{}\">\n",
      all.size(), t.failed, t.interrupted, t.skipped);
  if (!ended.signal.empty()) text += fmt::format("  <!-- interrupted by {}, {} not started -->\n", ended.signal, ended.not_started);
  for (const device_kind kind : {device_kind::memory, device_kind::pmem, device_kind::block}) text += suite_element(all, kind, ended);
  return text + "</testsuites>\n";
}

}  // namespace xip::scenario
