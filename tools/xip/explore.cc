// xip explore: runs races in many schedules.
#include <xip/base/config.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/scenario/command.h>
#include <xip/scenario/registry.h>

#include "exhibits/museum.h"
#include "verbs.h"

namespace xip::tool {

int explore_verb(int argc, char** argv) {
  return scenario::explore_command(argc, argv,
                                   {.type = ext4lite_file_system(),
                                    .scenarios = scenario::all_scenarios(),
                                    .program = "xip explore",
                                    .find_bug = XIP_EXHIBITS != 0 ? exhibits::find_bug : nullptr});
}

}  // namespace xip::tool
