// xip check: runs scenarios.
#include <string>

#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/scenario/command.h>
#include <xip/scenario/registry.h>

#include "common/image_lock.h"
#include "verbs.h"

namespace xip::tool {
namespace {

// As long as the process lives.
std::string hold_image(const std::string& path) {
  const auto lock = lock_image(path, image_access::read);
  return lock.has_value() ? std::string{} : lock.error();
}

}  // namespace

int check_verb(int argc, char** argv) {
  return scenario::check_command(argc, argv,
                                 {.type = ext4lite_file_system(), .scenarios = scenario::all_scenarios(), .hold_image = hold_image});
}

}  // namespace xip::tool
