// Outcomes as JSON.
#include "scenario/outcome.h"

#include <nlohmann/json.hpp>

namespace xip::scenario {

using nlohmann::json;

std::string encode(const outcome& o) {
  json failures = json::array();
  for (const failure& f : o.failures)
    failures.push_back({{"where", f.where}, {"what", f.what}, {"expected", f.expected}, {"found", f.found}});
  const json all = {{"how", static_cast<int>(o.how)}, {"why", o.why},   {"failures", failures},   {"log", o.log},
                    {"kept_image", o.kept_image},     {"seed", o.seed}, {"kept_log", o.kept_log}, {"seconds", o.seconds}};
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool decode(const std::string& text, outcome& to) {
  const json all = json::parse(text, nullptr, false);
  if (!all.is_object()) return false;
  to.how = static_cast<verdict>(all.value("how", 1));
  to.why = all.value("why", "");
  to.log = all.value("log", "");
  to.kept_image = all.value("kept_image", "");
  to.kept_log = all.value("kept_log", "");
  to.seed = all.value("seed", std::uint64_t{0});
  to.seconds = all.value("seconds", 0.0);
  to.failures.clear();
  for (const json& f : all["failures"])
    to.failures.push_back({f.value("where", ""), f.value("what", ""), f.value("expected", ""), f.value("found", "")});
  return true;
}

}  // namespace xip::scenario
