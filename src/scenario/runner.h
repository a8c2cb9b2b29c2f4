// Runs many scenarios, several at once, each in a process of its own.
#pragma once

#include <vector>

#include "scenario/console.h"
#include "scenario/options.h"
#include "scenario/report.h"

namespace xip::scenario {

struct campaign {
  const check_options& options;
  const check_config& config;
  const tools& use;
  std::vector<const scenario*> scenarios;
  std::vector<device_choice> devices;
  console& out;
};

// Exit code, as check_command's.
[[nodiscard]] int run_campaign(const campaign& c);

}  // namespace xip::scenario
