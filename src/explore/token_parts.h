// VERSION.NAME.FINGERPRINT.CONTENT.CHECK: what all tokens are made of.
//   NAME         of what it belongs to, in characters that need no quoting, cut to 40
//   FINGERPRINT  bytes that tell what else it belongs to
//   CONTENT      a letter that says what it is, and numbers
//   CHECK        24 bits over all before: a token that was cut or mistyped must not name something else
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "explore/base64url.h"

namespace xip::explore {

struct token_parts {
  std::string name;  // as it is shown
  bytes print;
  char letter;
  bytes content;
  std::size_t print_at, content_at;  // where they begin in the text
};

[[nodiscard]] std::string join_token(std::string_view version, std::string_view name, const bytes& print, char letter,
                                     const bytes& content);
// What is wrong with it: malformed and where, damaged, another version.
[[nodiscard]] std::expected<token_parts, std::string> split_token(std::string_view text, std::string_view version);
[[nodiscard]] std::unexpected<std::string> malformed_at(std::size_t at);

void put_word(bytes& to, std::uint32_t word);
[[nodiscard]] std::uint32_t word_at(const bytes& from, std::size_t at) noexcept;

}  // namespace xip::explore
