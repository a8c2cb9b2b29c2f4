#include <xip/base/points.h>

namespace xip {

std::string_view point_name(point p) noexcept {
  static constexpr std::array<std::string_view, point_count> names{
#define XIP_POINT_NAME(name) #name,
      XIP_POINTS(XIP_POINT_NAME)
#undef XIP_POINT_NAME
  };
  const auto i = static_cast<std::size_t>(p);
  return i < names.size() ? names[i] : "?";
}

}  // namespace xip
