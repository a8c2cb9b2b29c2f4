#include "scenario/strategy_options.h"

#include <cstdint>

#include <fmt/format.h>

namespace xip::scenario {

// "bound", "exhaustive" and "pct" take the number of --bound; alone it is a strategy itself.
problem read_strategies(const spoken_strategies& said, std::vector<explore::strategy_spec>& to) {
  std::vector<std::string> names = said.names;
  if (!said.bound.empty()) {
    std::uint32_t number = 0;
    if (!read_number(said.bound, number)) return fmt::format("--bound takes a number, not '{}'", said.bound);
    if (names.empty()) names.emplace_back("bound");
    bool used = false;
    for (std::string& name : names) {
      if (name != "bound" && name != "exhaustive" && name != "pct") continue;
      name = (name == "pct" ? "pct=" : "bound=") + said.bound;
      used = true;
    }
    if (!used) return "--bound goes with --strategy bound, exhaustive or pct";
  }
  for (const std::string& name : names) {
    const auto spec = explore::parse_strategy(name);
    if (!spec) return fmt::format("--strategy takes bound=N, exhaustive, pct=N or random, not '{}'", name);
    to.push_back(*spec);
  }
  return std::nullopt;
}

}  // namespace xip::scenario
