// The scenarios of this program. The build generates the one definition.
#pragma once

#include <span>

#include <xip/scenario/scenario.h>

namespace xip::scenario {

[[nodiscard]] std::span<const scenario* const> all_scenarios() noexcept;

}  // namespace xip::scenario
