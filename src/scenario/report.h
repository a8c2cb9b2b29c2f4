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
  unsigned passed = 0, failed = 0, skipped = 0, interrupted = 0;
};

// A run that a signal ended.
struct interruption {
  std::string signal;  // its name; empty: the run went to its end
  std::size_t not_started = 0;
};

[[nodiscard]] totals count(const std::vector<finished>& all);
// The line of a scenario and, for a failure, what was expected and found and what was kept; ends with a newline.
[[nodiscard]] std::string text_report(const finished& f);
// "N passed, N failed, N skipped", with a newline; for an interrupted run, by what and what is not in these numbers.
[[nodiscard]] std::string closing_line(const totals& t, const interruption& ended);
[[nodiscard]] std::string json_report(const std::vector<finished>& all, std::uint64_t seed, const interruption& ended);
[[nodiscard]] std::string junit_report(const std::vector<finished>& all, const interruption& ended);

}  // namespace xip::scenario
