// xip mount: an image on a directory of the host.
#include "fuse/mount_command.h"

#include "command.h"
#include "verbs.h"

namespace xip::tool {

int mount_verb(int argc, char** argv) {
  return fuse::run_mount(argc, argv, {.name = "xip mount", .failed = exit_failed, .usage = exit_usage, .environment = exit_environment});
}

}  // namespace xip::tool
