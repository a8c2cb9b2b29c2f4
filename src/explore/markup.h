// Text of others in HTML and XML.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace xip::explore {

// Bytes that are no UTF-8 are replaced.
[[nodiscard]] std::string valid_utf8(std::string_view text);
// As an attribute's value or as content. XML 1.0 has no way to write most control characters: they become '?'.
[[nodiscard]] std::string escaped(std::string_view text);

// PAGE with each {{name}} in it replaced by the text of that part; by nothing where there is none.
struct page_part {
  std::string_view name;
  std::string text;
};
[[nodiscard]] std::string filled_page(std::string_view page, std::span<const page_part> parts);

}  // namespace xip::explore
