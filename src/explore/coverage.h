// coverage: which pairs of switch points have been next to each other at a switch, over all schedules of an exploration.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <xip/base/points.h>

namespace xip::explore {

// A kind of place where a task can be switched: a named point, an operation on a class of locks, or a task's beginning and the like.
using site = std::uint16_t;

class coverage {
 public:
  static constexpr site max_sites = 1024;  // the last one stands for all that come after
  static constexpr site start = point_count;
  static constexpr site spawned = point_count + 1;
  static constexpr site joins = point_count + 2;
  static constexpr site ended = point_count + 3;
  static constexpr site first_lock = point_count + 4;
  static constexpr site operations = 4;  // of a lock: acquire, wait, wake, yield

  coverage() : seen_(std::size_t{max_sites} * max_sites / 64) {}

  void passed(site from, site to) noexcept {
    std::uint64_t& word = seen_[(std::size_t{from} * max_sites + to) / 64];
    const std::uint64_t bit = std::uint64_t{1} << (to % 64);
    pairs_ += (word & bit) == 0;
    word |= bit;
    ++switched_[from];
  }
  [[nodiscard]] std::uint64_t pairs() const noexcept { return pairs_; }
  [[nodiscard]] bool has(site from, site to) const noexcept {
    return (seen_[(std::size_t{from} * max_sites + to) / 64] >> (to % 64) & 1) != 0;
  }
  // How often a task was switched away from at SITE.
  [[nodiscard]] std::uint64_t switched(site at) const noexcept { return switched_[at]; }

 private:
  std::vector<std::uint64_t> seen_;
  std::array<std::uint64_t, max_sites> switched_{};
  std::uint64_t pairs_ = 0;
};

}  // namespace xip::explore
