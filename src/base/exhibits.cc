#include <xip/base/exhibits.h>

#include <array>

#if XIP_EXHIBITS

namespace xip {

std::string_view exhibit_place_name(exhibit_place p) noexcept {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(exhibit_place::count)> names{
#define XIP_EXHIBIT_NAME(name) #name,
      XIP_EXHIBIT_PLACES(XIP_EXHIBIT_NAME)
#undef XIP_EXHIBIT_NAME
  };
  const auto i = static_cast<std::size_t>(p);
  return i < names.size() ? names[i] : "?";
}

}  // namespace xip

#endif
