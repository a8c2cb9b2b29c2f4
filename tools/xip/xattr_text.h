// Values of extended attributes as people read and write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace xip::tool {

// "text" where all of VALUE can be printed, 0x... otherwise; an access control list as "user::rw-,user:1000:r--,group::r--,mask::r--,other::---".
[[nodiscard]] std::string xattr_text(std::string_view name, const std::string& value);
// What TEXT stands for as the value of NAME: 0x..., a list as above (also u::rw- or u::6) for an access control list, anything else as it is. Nothing: it
// cannot be read.
[[nodiscard]] std::optional<std::string> xattr_value(std::string_view name, const std::string& text);

}  // namespace xip::tool
