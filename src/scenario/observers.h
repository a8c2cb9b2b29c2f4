// What the runner hears of the product while a scenario runs: log lines, lockdep's reports, points. Called from any thread, under any of the
// product's locks: nothing here takes a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <xip/base/points.h>

namespace xip::scenario {

// Lines, pushed without a lock.
class line_list {
 public:
  line_list() noexcept = default;
  ~line_list();
  line_list(const line_list&) = delete;
  line_list& operator=(const line_list&) = delete;

  void push(std::string text);
  [[nodiscard]] std::vector<std::string> all() const;  // oldest first

 private:
  struct node {
    std::string text;
    node* before;
  };
  std::atomic<node*> last_{nullptr};
};

// Counts points, and fails some on request.
class point_counter final : public point_sink {
 public:
  void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {
    counts_[static_cast<std::size_t>(p)].fetch_add(1, std::memory_order_relaxed);
  }
  int inject(point p, std::uint64_t, std::uint64_t) noexcept override;
  [[nodiscard]] std::uint64_t hits(point p) const noexcept { return counts_[static_cast<std::size_t>(p)].load(std::memory_order_relaxed); }
  void set_rule(point p, int number, std::uint32_t skip, std::uint32_t times) noexcept;

 private:
  std::array<std::atomic<std::uint64_t>, point_count> counts_{};
  std::atomic<std::uint16_t> failing_{static_cast<std::uint16_t>(point::count)};
  std::atomic<int> number_{0};
  std::atomic<std::int64_t> passes_{0};          // how many matching passes have been seen
  std::atomic<std::int64_t> first_{0}, end_{0};  // those in [first, end) fail
};

}  // namespace xip::scenario
