// --strategy and --bound, which only together say what is explored.
#pragma once

#include <string>
#include <vector>

#include <xip/explore/strategy.h>

#include "scenario/option_values.h"

namespace xip::scenario {

struct spoken_strategies {
  std::vector<std::string> names;  // in the order in which they were said
  std::string bound;

  [[nodiscard]] bool silent() const noexcept { return names.empty() && bound.empty(); }
};

[[nodiscard]] problem read_strategies(const spoken_strategies& said, std::vector<explore::strategy_spec>& to);

}  // namespace xip::scenario
