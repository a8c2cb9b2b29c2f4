// Errors are values: a function that can fail returns result<T>, and XIP_TRY hands a failure to the caller.
#pragma once

#include <cerrno>
#include <expected>
#include <string_view>
#include <utility>

namespace xip {

// An errno of Linux (positive: EIO, ENOSPC, EUCLEAN ...). Zero is not an error.
class [[nodiscard]] error {
 public:
  constexpr explicit error(int number) noexcept : number_{number} {}

  [[nodiscard]] constexpr int number() const noexcept { return number_; }
  // "ENOSPC"; "E?" for a number that Linux does not name.
  [[nodiscard]] std::string_view name() const noexcept;
  // "No space left on device"
  [[nodiscard]] std::string_view message() const noexcept;

  friend constexpr bool operator==(error, error) noexcept = default;
  friend constexpr bool operator==(error e, int number) noexcept { return e.number_ == number; }

 private:
  int number_;
};

template <class T = void>
using result = std::expected<T, error>;

[[nodiscard]] constexpr std::unexpected<error> fail(int number) noexcept { return std::unexpected{error{number}}; }
[[nodiscard]] constexpr std::unexpected<error> fail(error e) noexcept { return std::unexpected{e}; }

}  // namespace xip

// The value of EXPR, or return its error from the function around it. A statement expression (g++, clang).
#define XIP_TRY(EXPR)                                          \
  __extension__({                                              \
    auto&& xip_try_result = (EXPR);                            \
    if (!xip_try_result.has_value()) [[unlikely]]              \
      return ::std::unexpected{xip_try_result.error()};        \
    *::std::forward<decltype(xip_try_result)>(xip_try_result); \
  })
