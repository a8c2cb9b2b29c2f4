// The walk of paths: names, symlinks, dots, limits, and the caches behind them.
#include "fuzz/target.h"

namespace xip::fuzz {

std::span<const structure_kind> structures_of_target() noexcept { return {}; }

void run_target(const test_case& c) {
  const std::span<const operation> tables[] = {walk_operations(), walk_operations(), walk_operations(), name_operations()};
  run_session(c, read_everything, tables);
}

}  // namespace xip::fuzz
