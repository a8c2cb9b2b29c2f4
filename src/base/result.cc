#include <xip/base/result.h>

#include <cstring>

namespace xip {

std::string_view error::name() const noexcept {
  const char* name = ::strerrorname_np(number_);
  return name == nullptr ? "E?" : name;
}

std::string_view error::message() const noexcept {
  const char* text = ::strerrordesc_np(number_);
  return text == nullptr ? "Unknown error" : text;
}

}  // namespace xip
