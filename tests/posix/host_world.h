// The host's kernel: ext4 on a loop mount, in a child of its own.
#pragma once

#include <string>
#include <vector>

#include "posix/table.h"

namespace xip::posix {

// The answers of the host to every case of T whose sysctls it has, made below DIRECTORY, where an ext4 is mounted. An empty vector: the case was
// left out.
[[nodiscard]] std::vector<std::vector<std::string>> run_on_host(const table& t, const std::string& directory);

}  // namespace xip::posix
