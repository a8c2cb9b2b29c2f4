// ordered_device: a device of which each wait is told, and those of one place may be left out. Without windows there is nothing that a fence, or a flush of
// lines, could wait for: those are no waits.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>

#include <xip/crash/ordering.h>
#include <xip/dev/decorator.h>

#include "crash/lone_kernel.h"

namespace xip::crash {

class ordered_device final : public dev::decorator<dev::device> {
 public:
  // PASSED: the points that were passed last. SEEN gets each site. WITHOUT: nobody waits there.
  ordered_device(dev::device& below, const passed_points& passed, std::set<ordering_site>& seen, std::optional<ordering_site> without)
      : decorator{below, ""}, passed_{passed}, seen_{seen}, without_{without} {}

  [[nodiscard]] result<> flush_cache() noexcept override {
    return killed() || waits(ordering_site::wait::flush) ? decorator::flush_cache() : result<>{};
  }

 protected:
  void window_flush(const std::byte* from, std::size_t bytes) noexcept override {
    if (!has_direct_access() || waits(ordering_site::wait::lines)) decorator::window_flush(from, bytes);
  }
  void window_drain() noexcept override {
    if (!has_direct_access() || waits(ordering_site::wait::fence)) decorator::window_drain();
  }

 private:
  [[nodiscard]] bool waits(ordering_site::wait by) {
    if (counted_ != passed_.count) counted_ = passed_.count, numbers_ = {};
    std::uint32_t& number = numbers_[static_cast<std::size_t>(by)];
    number = std::min(number + 1, ordering_site::most_numbered);
    const ordering_site here{by, passed_.last, passed_.before, number};
    seen_.insert(here);
    return here != without_;
  }

  const passed_points& passed_;
  std::set<ordering_site>& seen_;
  const std::optional<ordering_site> without_;
  std::uint64_t counted_ = 0;               // points, when NUMBERS_ began
  std::array<std::uint32_t, 3> numbers_{};  // of waits since then, by their kind
};

}  // namespace xip::crash
