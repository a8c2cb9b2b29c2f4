// The command line of a mount, as `xip mount`, `xip-fuse` and mount(8) write it.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "fuse/mount_command.h"
#include "fuse/options.h"

namespace xip::fuse {

struct command_line {
  mount_request request;
  bool help = false;
  bool version = false;
  bool dry_run = false;
};

// The error is a message.
[[nodiscard]] std::expected<command_line, std::string> parse_command_line(int argc, char** argv, const mount_program& program);

void print_mount_help(const mount_program& program);

}  // namespace xip::fuse
