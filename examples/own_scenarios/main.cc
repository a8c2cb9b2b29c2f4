// Scenarios of one's own, with the options and reports of `xip check`, here against ext4lite.
#include <array>

#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/scenario/command.h>
#include <xip/scenario/scenario.h>

namespace xip::scenario {
extern const scenario rename_001;
}

int main(int argc, char** argv) {
  static constexpr std::array<const xip::scenario::scenario*, 1> all{&xip::scenario::rename_001};
  return xip::scenario::check_command(argc, argv,
                                      {.type = xip::ext4lite_file_system(), .scenarios = all, .program = argv[0], .single = true});
}
