// Waiting for the medium, place by place: so that each wait can be left out, and a workload that then fails be found.
#pragma once

#include <compare>
#include <string>

#include <xip/base/points.h>

namespace xip::crash {

// A place where something waits: by the named point that was passed last before it (not those of devices), and by what is waited with.
struct ordering_site {
  enum class wait : std::uint8_t { fence, flush };

  point behind = point::count;  // count: none was passed
  wait by = wait::fence;

  friend auto operator<=>(const ordering_site&, const ordering_site&) = default;
};
// "flush behind jbd2_before_flush"
[[nodiscard]] std::string name_of(const ordering_site& s);

}  // namespace xip::crash
