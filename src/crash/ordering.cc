#include <xip/crash/ordering.h>

#include <fmt/format.h>

namespace xip::crash {

std::string name_of(const ordering_site& s) {
  return fmt::format("{} behind {}", s.by == ordering_site::wait::flush ? "flush" : "fence",
                     s.behind == point::count ? "nothing" : point_name(s.behind));
}

}  // namespace xip::crash
