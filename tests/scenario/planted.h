// Scenarios that end in every way a scenario can end.
#pragma once

#include <span>

#include <xip/scenario/scenario.h>

namespace xip::scenario {

[[nodiscard]] std::span<const scenario* const> planted_scenarios() noexcept;

}  // namespace xip::scenario
