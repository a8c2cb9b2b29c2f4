#include <xip/crash/ordering.h>

#include <string_view>

#include <fmt/format.h>

namespace xip::crash {
namespace {

std::string_view name_of(ordering_site::wait by) noexcept {
  switch (by) {
    case ordering_site::wait::fence:
      return "fence";
    case ordering_site::wait::flush:
      return "flush";
    case ordering_site::wait::lines:
      return "flush of lines";
  }
  return "wait";
}

}  // namespace

std::string name_of(const ordering_site& s) {
  std::string text{name_of(s.by)};
  if (s.number > 1) text += fmt::format(" {}", s.number);
  if (s.behind == point::count) return text + " behind nothing";
  return text + fmt::format(" behind {}{}{}", s.before == point::count ? "" : point_name(s.before), s.before == point::count ? "" : ", ",
                            point_name(s.behind));
}

}  // namespace xip::crash
