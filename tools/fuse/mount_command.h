// `xip mount IMAGE DIR` and `xip-fuse IMAGE DIR`: from the command line to the end of the mount.
#pragma once

namespace xip::fuse {

// How a program answers: the house's exit codes, or those of mount(8), whose helper it then is.
struct mount_program {
  const char* name;     // as its messages begin
  int failed;           // the mount could not be made
  int usage;            // the command line is wrong
  int environment;      // the host has no FUSE, or lets us have none
  bool helper = false;  // started by mount(8): -f is a dry run there, and who may mount may have set-id programs and devices
};

// Returns in the process that was started when the image is mounted (or could not be), and in the one that serves it when it was unmounted.
int run_mount(int argc, char** argv, const mount_program& program);

}  // namespace xip::fuse
