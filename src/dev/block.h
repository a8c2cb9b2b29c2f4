// The block device with its rings made by somebody else: for tests.
#pragma once

#include <string>

#include <xip/dev/devices.h>

#include "dev/block_ring.h"

namespace xip::dev {

[[nodiscard]] opened open_block_in(const std::string& path, const block_options& options, const ring_environment& environment);

}  // namespace xip::dev
