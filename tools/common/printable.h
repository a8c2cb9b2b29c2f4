// Text from elsewhere on its way to a terminal or a log.
#pragma once

#include <string>
#include <string_view>

namespace xip::tool {

[[nodiscard]] constexpr bool is_control(unsigned char byte) noexcept { return byte < 0x20 || byte == 0x7f; }

// TEXT with control characters as octal escapes: a name in a foreign image must not speak to the terminal.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace xip::tool
