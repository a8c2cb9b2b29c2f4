// The program that a single scenario is: build/P/scenarios/DIR-NNN, with the options of `xip check`.
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/scenario/command.h>
#include <xip/scenario/registry.h>

int main(int argc, char** argv) {
  return xip::scenario::check_command(
      argc, argv, {.type = xip::ext4lite_file_system(), .scenarios = xip::scenario::all_scenarios(), .program = argv[0], .single = true});
}
