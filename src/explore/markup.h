// Text of others in HTML and XML.
#pragma once

#include <string>
#include <string_view>

namespace xip::explore {

// Bytes that are no UTF-8 are replaced.
[[nodiscard]] std::string valid_utf8(std::string_view text);
// As an attribute's value or as content. XML 1.0 has no way to write most control characters: they become '?'.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace xip::explore
