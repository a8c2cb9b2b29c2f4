// What is found out once, before any scenario: that the image can be made, checked and mounted, and which devices there are.
#pragma once

#include <expected>
#include <vector>

#include "scenario/console.h"
#include "scenario/options.h"

namespace xip::scenario {

// The devices to run on. A refusal: no scenario could run.
[[nodiscard]] std::expected<std::vector<device_choice>, refusal> preflight(const check_options& options, const check_config& config,
                                                                           const tools& use, console& out);

}  // namespace xip::scenario
