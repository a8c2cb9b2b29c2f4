// xip crash: loses the power in workloads, and sees what is left.
#include <memory>

#include <xip/base/config.h>
#include <xip/crash/classify_layout.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/fs_ext4lite/layout.h>
#include <xip/scenario/command.h>

#include "exhibits/museum.h"
#include "verbs.h"

namespace xip::tool {
namespace {

std::expected<scenario::image_map, std::string> map_image(dev::device& device) {
  auto read = ext4_layout::read(device);
  if (!read) return std::unexpected{read.error()};
  const auto layout = std::make_shared<const ext4_layout>(*std::move(read));
  return scenario::image_map{.classify = crash::classify_by(layout),
                             .name_of = [layout](std::uint64_t offset) { return layout->name_of(offset); }};
}

}  // namespace

int crash_verb(int argc, char** argv) {
  return scenario::crash_command(
      argc, argv, {.type = ext4lite_file_system(), .map_image = map_image, .find_bug = XIP_EXHIBITS != 0 ? exhibits::find_bug : nullptr});
}

}  // namespace xip::tool
