// What the image verbs share: parsing, messages, exit codes.
#pragma once

#include <concepts>
#include <cstdio>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "common/printable.h"
#include "image_path.h"
#include "image_session.h"
#include "stop_signals.h"

namespace xip::tool {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_environment = 3;

// TEXT for standard output. As ls: only a terminal is spared control characters; what reads a pipe gets the names as they are.
[[nodiscard]] std::string for_output(std::string_view text);
// "xip VERB: MESSAGE" on standard error.
void complain(std::string_view verb, std::string_view message);
inline void complain(std::string_view verb, std::string_view what, error why) {
  complain(verb, fmt::format("{}: {}", what, why.message()));
}

// Parses ARGC, ARGV with APP. Nothing: go on; otherwise the exit code, everything having been said.
[[nodiscard]] std::optional<int> parse(CLI::App& app, int argc, char** argv);

// Runs BODY(session) on IMAGE and unmounts; signals that ask to stop wait until then when it is open for writing. The exit code: BODY's, or exit_failed when
// the image could not be opened or not be written.
template <std::invocable<image_session&> Body>
int with_image(std::string_view verb, const std::string& image, image_access access, Body&& body,
               image_device device = image_device::requests) {
  std::optional<stop_signals> signals;
  if (access == image_access::write) signals.emplace();
  auto session = image_session::open(verb, image, access, device);
  if (!session.has_value()) {
    complain(verb, session.error());
    return exit_failed;
  }
  int code = exit_failed;
  try {
    code = body(**session);
  } catch (const std::bad_alloc&) {
    complain(verb, fmt::format("{}: out of memory", image));
  }
  if (const auto closed = (*session)->close(); !closed.has_value()) {
    complain(verb, closed.error());
    code = exit_failed;
  }
  return code;
}

// ARGUMENT as a place in an image; nothing, with a message on how to write one, if it is none.
[[nodiscard]] std::optional<place> image_place(std::string_view verb, const std::string& argument);
// All of ARGUMENTS as places of one and the same image.
[[nodiscard]] std::optional<std::vector<place>> places_of_one_image(std::string_view verb, const std::vector<std::string>& arguments);

// "-rw-r--r--"
[[nodiscard]] std::string mode_string(std::uint32_t mode);
// "2026-01-31 23:59:59.123456789 +0000", in the local time zone.
[[nodiscard]] std::string time_string(const vfs::timespec64& t, const char* format, bool with_nanoseconds);

}  // namespace xip::tool
