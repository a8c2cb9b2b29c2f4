// minimise: a failing state with fewer lines to look at.
#pragma once

#include <cstdint>
#include <functional>

#include "crash/search.h"
#include "crash/space.h"

namespace xip::crash {

// Takes back what has arrived, or lets arrive what is missing, line by line and in larger parts first, as long as FAILS; answers the smaller of the two
// that are found so. FAILED does. At most RUNS states are tried.
[[nodiscard]] arrivals minimise(const state_space& space, const arrivals& failed, std::uint64_t runs,
                                const std::function<bool(const arrivals&)>& fails);

}  // namespace xip::crash
