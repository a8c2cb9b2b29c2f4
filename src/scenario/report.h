// How results are shown.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <xip/scenario/scenario.h>

#include "scenario/fixture.h"
#include "scenario/outcome.h"

namespace xip::scenario {

struct finished {
  const scenario* what = nullptr;
  device_kind kind = device_kind::memory;
  outcome result;
};

struct totals {
  unsigned passed = 0, failed = 0, skipped = 0;
};

[[nodiscard]] totals count(const std::vector<finished>& all);
// The line of a scenario and, for a failure, what was expected and found and what was kept; ends with a newline.
[[nodiscard]] std::string text_report(const finished& f);
// "N passed, N failed, N skipped", with a newline.
[[nodiscard]] std::string closing_line(const totals& t);
[[nodiscard]] std::string json_report(const std::vector<finished>& all, std::uint64_t seed);
[[nodiscard]] std::string junit_report(const std::vector<finished>& all);

}  // namespace xip::scenario
