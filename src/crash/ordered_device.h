// ordered_device: a device of which each wait is told, and one kind of them may be left out.
#pragma once

#include <optional>
#include <set>

#include <xip/crash/ordering.h>
#include <xip/dev/decorator.h>

namespace xip::crash {

class ordered_device final : public dev::decorator<dev::device> {
 public:
  // LAST: the point that was passed last. SEEN gets each site. WITHOUT: nobody waits there.
  ordered_device(dev::device& below, const point& last, std::set<ordering_site>& seen, std::optional<ordering_site> without)
      : decorator{below, ""}, last_{last}, seen_{seen}, without_{without} {}

  [[nodiscard]] result<> flush_cache() noexcept override {
    return killed() || waits(ordering_site::wait::flush) ? decorator::flush_cache() : result<>{};
  }

 protected:
  void window_drain() noexcept override {
    if (waits(ordering_site::wait::fence)) decorator::window_drain();
  }

 private:
  [[nodiscard]] bool waits(ordering_site::wait by) {
    const ordering_site here{last_, by};
    seen_.insert(here);
    return here != without_;
  }

  const point& last_;
  std::set<ordering_site>& seen_;
  const std::optional<ordering_site> without_;
};

}  // namespace xip::crash
