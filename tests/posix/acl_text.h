// Values of attributes as words of a table: text, hex:..., and access control lists: u::6,u:1000:7,g::4,m::6,o::0.
#pragma once

#include <string>

namespace xip::posix {

// What "text", "hex:00ff" and "" stand for.
[[nodiscard]] std::string value_from_word(const std::string& word);
[[nodiscard]] std::string value_to_word(const std::string& value);

// The attribute's value; of what is no list: hex.
[[nodiscard]] std::string acl_from_word(const std::string& word);
[[nodiscard]] std::string acl_to_word(const std::string& value);

}  // namespace xip::posix
