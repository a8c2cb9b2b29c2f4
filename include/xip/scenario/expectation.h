// What a scenario's body says when something is not as it should be. A failed expectation ends the body.
#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <source_location>
#include <string>
#include <string_view>

#include <xip/base/result.h>
#include <xip/vfs/inode.h>

namespace xip::scenario {

// One expectation that did not hold.
struct failure {
  std::string where;  // "tests/scenarios/generic/001.cc:33"
  std::string what;
  std::string expected;
  std::string found;
};

// Thrown through a body, never through a hook of the product.
class expectation_failed : public std::exception {
 public:
  explicit expectation_failed(failure why);
  [[nodiscard]] const char* what() const noexcept override { return why_.what.c_str(); }
  [[nodiscard]] const failure& why() const noexcept { return why_; }

 private:
  failure why_;
};

class not_run : public std::exception {
 public:
  explicit not_run(std::string why) : why_{std::move(why)} {}
  [[nodiscard]] const char* what() const noexcept override { return why_.c_str(); }

 private:
  std::string why_;
};

// "FILE:LINE", the file as it is named below the project's root.
[[nodiscard]] std::string text_of(const std::source_location& here);
// Values as a report prints them.
[[nodiscard]] std::string text_of(std::int64_t value);
[[nodiscard]] std::string text_of(std::uint64_t value);
[[nodiscard]] std::string text_of(error value);
[[nodiscard]] std::string text_of(const vfs::timespec64& value);
[[nodiscard]] inline std::string text_of(bool value) { return value ? "true" : "false"; }
[[nodiscard]] inline std::string text_of(std::string_view value) { return '"' + std::string{value} + '"'; }
[[nodiscard]] inline std::string text_of(const char* value) { return text_of(std::string_view{value}); }
[[nodiscard]] inline std::string text_of(const std::string& value) { return text_of(std::string_view{value}); }
[[nodiscard]] std::string text_of(std::signed_integral auto value) { return text_of(static_cast<std::int64_t>(value)); }
[[nodiscard]] std::string text_of(std::unsigned_integral auto value) { return text_of(static_cast<std::uint64_t>(value)); }

}  // namespace xip::scenario
