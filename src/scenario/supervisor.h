// One scenario in a process of its own, and the process that watches it: makes the image, runs the body, survives its crash or hang, asks
// e2fsck, keeps what a failure left.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <xip/scenario/scenario.h>

#include "scenario/image.h"
#include "scenario/options.h"
#include "scenario/outcome.h"

namespace xip::scenario {

inline constexpr std::uint64_t default_image_size = 64 * mib;

struct assignment {
  const scenario* what = nullptr;
  const device_choice* where = nullptr;
  const check_options* options = nullptr;
  const check_config* config = nullptr;
  const tools* use = nullptr;
  std::string file;      // the device's file; on memory unused
  bool own_file = true;  // temporary: its size is ours to choose
  std::string scratch;   // prefix for files of this run
  std::string log;       // takes what is printed
  std::string keep;      // prefix for what is kept on failure
};

// In the watching process, whose output goes to the log already. Never throws away a failure: whatever happens is in the outcome.
[[nodiscard]] outcome supervise(const assignment& a);

}  // namespace xip::scenario
