// `xip check` as a function, for the command and for the program that each scenario is.
#pragma once

#include <span>

#include <xip/scenario/scenario.h>
#include <xip/vfs/super_block.h>

namespace xip::scenario {

struct check_config {
  const vfs::file_system_type& type;               // what is mounted
  std::span<const scenario* const> scenarios;      // those that may be named
  const char* program = "xip check";               // for messages
  bool single = false;                             // a program of its own: without a name or group, all that is listed
};

// Exit codes: 0 all well, 1 a scenario failed, 2 usage, 3 the environment lacks something (named on standard error).
[[nodiscard]] int check_command(int argc, char** argv, const check_config& config);

}  // namespace xip::scenario
