// Running a tool of the host without a shell.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <xip/base/result.h>

namespace xip::scenario {

struct tool_exit {
  int status = 0;      // the exit code, or 128 + the signal's number
  std::string output;  // standard output and standard error together
};

// Bytes that are wanted of a tool's output: one that writes more is killed.
inline constexpr std::size_t most_output = std::size_t{1} << 20;

// The path of program NAME on $PATH or where Debian keeps administrators' programs; empty: not installed.
[[nodiscard]] std::string find_tool(const std::string& name);
// Runs PROGRAM (a path) with ARGUMENTS, standard input empty, LC_ALL=C and NAME=VALUE of MORE in its environment. An error: it could not be started.
[[nodiscard]] result<tool_exit> run_tool(const std::string& program, const std::vector<std::string>& arguments,
                                         const std::vector<std::string>& more = {});
// Splits at blanks; '...' and "..." keep them. EINVAL: a quote is not closed.
[[nodiscard]] result<std::vector<std::string>> split_words(std::string_view text);

}  // namespace xip::scenario
