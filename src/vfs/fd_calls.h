// Giving a file a descriptor.
#pragma once

#include <cstdint>

#include <xip/base/result.h>
#include <xip/vfs/task.h>

namespace xip::vfs {

// The lowest free descriptor of T, at least FROM. F's reference is taken over, and dropped when it fails: EMFILE, ENOMEM.
[[nodiscard]] result<int> install_file(task& t, file& f, bool cloexec, std::uint32_t from);

}  // namespace xip::vfs
