#include "common/printable.h"

#include <fmt/format.h>

namespace xip::tool {

std::string printable(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_control(byte))
      shown += fmt::format("\\{:03o}", byte);
    else
      shown += c;
  }
  return shown;
}

}  // namespace xip::tool
