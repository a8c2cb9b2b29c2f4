// How much dearer one thing is than another, on a machine that does other things besides. Each round times both, taking turns in going first; two rounds make
// a quotient. What the first leaves in the caches for the second, and a disturbance longer than two rounds, cancel out of it; a shorter disturbance spoils
// one quotient, which the median passes over.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <xip/locks/clock.h>

namespace xip::tool {

class paired_ratio {
 public:
  using clock = nanoseconds (*)();
  explicit paired_ratio(clock now = monotonic_now) noexcept : now_{now} {}

  // Runs FIGURE(i) and BASELINE(i) for i in [BEGIN, END), each side's turn timed as one; who goes first alternates. SETTLE runs after each turn, untimed: what
  // a turn has left to be done in the background is not to fall into the next one.
  template <class Figure, class Baseline, class Settle>
  void round(std::size_t begin, std::size_t end, Figure&& figure, Baseline&& baseline, Settle&& settle) {
    const bool figure_first = (rounds_++ & 1) == 0;
    double f = 0, b = 0;
    if (figure_first) f = timed(begin, end, figure, settle);
    b = timed(begin, end, baseline, settle);
    if (!figure_first) f = timed(begin, end, figure, settle);
    const auto operations = static_cast<double>(end - begin);
    figures_.push_back(f / operations);
    baselines_.push_back(b / operations);
    if (figure_first) {
      first_figure_ = f;
      first_baseline_ = b;
    } else {
      ratios_.push_back((first_figure_ + f) / (first_baseline_ + b));
    }
    last_seconds_ = f * 1e-9;
  }
  template <class Figure, class Baseline>
  void round(std::size_t begin, std::size_t end, Figure&& figure, Baseline&& baseline) {
    round(begin, end, figure, baseline, [] {});
  }
  [[nodiscard]] double last_seconds() const noexcept { return last_seconds_; }

  // Medians over all rounds: nanoseconds an operation, of either side, and the ratio of two rounds, or of the only one. 0 before the first.
  struct medians {
    double ns = 0, baseline_ns = 0, ratio = 0;
  };
  [[nodiscard]] medians result() {
    if (rounds_ == 1) return {figures_[0], baselines_[0], figures_[0] / baselines_[0]};
    return {median(figures_), median(baselines_), median(ratios_)};
  }

 private:
  template <class Work, class Settle>
  double timed(std::size_t begin, std::size_t end, Work& work, Settle& settle) const {
    const nanoseconds start = now_();
    for (std::size_t i = begin; i < end; ++i) work(i);
    const nanoseconds passed = now_() - start;
    settle();
    return static_cast<double>(passed.count());
  }
  static double median(std::vector<double>& v) {
    if (v.empty()) return 0;
    const auto middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
    std::ranges::nth_element(v, middle);
    return *middle;
  }

  clock now_;
  std::vector<double> figures_, baselines_, ratios_;
  std::size_t rounds_ = 0;
  double first_figure_ = 0, first_baseline_ = 0;  // nanoseconds that the last round took in which the figure went first
  double last_seconds_ = 0;
};

}  // namespace xip::tool
