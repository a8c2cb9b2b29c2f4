// The command line of `xip check`.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include <xip/scenario/command.h>

#include "scenario/fixture.h"

namespace xip::scenario {

// One device to run on. FILE: the user's own, or empty for a temporary one.
struct device_choice {
  device_kind kind = device_kind::memory;
  std::string file;
};

struct check_options {
  std::vector<std::string> names;
  std::vector<std::string> groups;
  std::vector<std::string> excluded;
  std::vector<device_choice> devices;  // empty: all three
  mapping_choice pointers;
  std::optional<std::vector<std::string>> mkfs;  // in place of the defaults
  std::string image;
  std::string keep;
  std::string junit;
  std::uint64_t seed = 1;
  unsigned jobs = 0;               // 0: one a processor
  unsigned shard = 1, shards = 1;  // the SHARDth part of SHARDS
  unsigned timeout = 600;          // seconds after which a scenario counts as hung
  bool list = false;
  bool json = false;
  bool help = false;
};

// Nothing was run because of how we were called or where; said on standard error.
struct refusal {
  int exit_code;
  std::string message;
};

[[nodiscard]] std::expected<check_options, refusal> parse_options(int argc, char** argv, const char* program);
[[nodiscard]] std::string usage(const char* program);

// The scenarios that OPTIONS ask for, in the order of the list.
[[nodiscard]] std::expected<std::vector<const scenario*>, refusal> select_scenarios(const check_options& options,
                                                                                    const check_config& config);
[[nodiscard]] bool in_group(const scenario& s, std::string_view group);

}  // namespace xip::scenario
