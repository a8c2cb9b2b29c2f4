// Programs of the host, without a shell.
#pragma once

#include <string>
#include <vector>

namespace xip::tool {

// Runs WORDS, the first of which is looked for in PATH, with our own streams. Its exit code; -1: it could not be started, or a signal ended it.
[[nodiscard]] int run_program(std::vector<std::string> words) noexcept;

}  // namespace xip::tool
