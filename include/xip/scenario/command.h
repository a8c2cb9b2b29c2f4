// `xip check`, `xip explore` and `xip crash` as functions, for the command and for the program that each scenario is.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <xip/crash/classify.h>
#include <xip/dev/device.h>
#include <xip/scenario/planted_bug.h>
#include <xip/scenario/scenario.h>
#include <xip/vfs/super_block.h>

namespace xip::scenario {

struct check_config {
  const vfs::file_system_type& type;           // what is mounted
  std::span<const scenario* const> scenarios;  // those that may be named
  const char* program = "xip check";           // for messages
  bool single = false;                         // a program of its own: without a name or group, all that is listed
  // The planted bug with this number or name; null: there is none. The function is null where none is compiled in.
  const planted_bug* (*find_bug)(std::string_view id) = nullptr;
  // Keeps others from writing to the file of --image until the run is over. Says why it cannot; empty: it does. Null: nobody need be kept.
  std::string (*hold_image)(const std::string& path) = nullptr;
};

// The exit code: 0 when no scenario failed, 1 when one did or standard output could not be written, 2 for a wrong command line (also one that
// selects nothing), 3 when a program, file or device it needs cannot be had or used, which standard error names; 128 + N when signal N ended
// the run. Descriptors 0 and 2 are opened (/dev/null) where they are closed.
[[nodiscard]] int check_command(int argc, char** argv, const check_config& config);

// Explores those of the scenarios that are races. The exit code: 0 when no schedule failed, 1 when one did (a replayed one, too) or standard
// output could not be written, 2 for a wrong command line (also a token that is not of this program and build), 3 when mke2fs or e2fsck
// cannot be had or used, or a planted bug is asked for where none is compiled in; 128 + N when signal N ended the run.
[[nodiscard]] int explore_command(int argc, char** argv, const check_config& config);

// What reports of crashes need to know of a file system's images.
struct image_map {
  crash::classifier classify = {};                                // empty: nothing is known
  std::function<std::string(std::uint64_t offset)> name_of = {};  // likewise
};

struct crash_config {
  const vfs::file_system_type& type;                                           // what is crashed
  std::expected<image_map, std::string> (*map_image)(dev::device&) = nullptr;  // null: nothing is known
  const char* program = "xip crash";
  const planted_bug* (*find_bug)(std::string_view id) = nullptr;  // as check_config has it
};

// Crashes workloads on images of ext4 made by mke2fs. The exit code: 0 when no state failed, 1 when one did (a replayed one, too) or a result could not be
// written, 2 for a wrong command line or workload, 3 when mke2fs or e2fsck cannot be had or used, or a planted bug is asked for where none is compiled in;
// 128 + N when signal N ended the run.
[[nodiscard]] int crash_command(int argc, char** argv, const crash_config& config);

}  // namespace xip::scenario
