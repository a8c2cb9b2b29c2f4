// xip check: runs scenarios.
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/scenario/command.h>
#include <xip/scenario/registry.h>

#include "verbs.h"

namespace xip::tool {

int check_verb(int argc, char** argv) {
  return scenario::check_command(argc, argv, {.type = ext4lite_file_system(), .scenarios = scenario::all_scenarios()});
}

}  // namespace xip::tool
