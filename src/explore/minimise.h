// Makes a failing schedule smaller: fewest preemptions first, then fewest deviations, then fewest steps.
#pragma once

#include "explore/engine.h"

namespace xip::explore {

// The smallest schedule found that fails in the way of FAILED, each tried by running it. Spends about MAX_STEPS steps.
[[nodiscard]] outcome minimise(engine& runs, const outcome& failed, std::uint64_t max_steps);

}  // namespace xip::explore
