// Waiting for the medium, place by place: so that each wait can be left out, and a workload that then fails be found.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include <xip/base/points.h>

namespace xip::crash {

// A place where something waits: by what is waited with, and by the way that led there, as far as named points tell it (not those of devices). Several places of
// the code that share both are one; one place that is reached in two ways is two.
struct ordering_site {
  enum class wait : std::uint8_t {
    fence,
    flush,  // of the device's cache
    lines,  // of the processor's cache
  };
  static constexpr std::uint32_t most_numbered = 4;

  wait by = wait::fence;
  point behind = point::count;  // passed last before it, in the same call; count: none was
  point before = point::count;  // the last other one before that
  std::uint32_t number = 1;     // which of the waits of its kind since BEHIND was passed; the last number is that of all later ones, too

  friend auto operator<=>(const ordering_site&, const ordering_site&) = default;
};
// "flush behind jbd2_freeze, jbd2_before_flush", "flush 2 behind nothing"
[[nodiscard]] std::string name_of(const ordering_site& s);

}  // namespace xip::crash
