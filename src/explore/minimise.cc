#include "explore/minimise.h"

#include <algorithm>
#include <tuple>

namespace xip::explore {
namespace {

class minimiser {
 public:
  minimiser(engine& runs, const outcome& failed, std::uint64_t max_steps) : engine_{runs}, best_{failed}, steps_left_{max_steps} {}

  outcome run() {
    drop_deviations();
    for (std::uint32_t bound = 0; bound < best_.preemptions && steps_left_ != 0; ++bound)
      if (search(bound)) break;
    drop_deviations();
    return std::move(best_);
  }

 private:
  [[nodiscard]] static auto size_of(const outcome& o) noexcept { return std::tuple{o.preemptions, o.deviations.size(), o.steps}; }

  // Whether S's next schedule is a smaller one that fails.
  [[nodiscard]] bool improves(strategy& s) {
    const outcome& tried = engine_.run(s, false);
    s.end();
    steps_left_ -= std::min(steps_left_, tried.steps + 1);
    if (tried.failed != best_.failed || size_of(tried) >= size_of(best_)) return false;
    best_ = tried;
    return true;
  }

  // Parts of the deviations, the larger ones first, then one by one, until none can be missed. What is left of a smaller schedule is what
  // it really did: the steps of deviations behind a dropped one move, and those that lead nowhere are gone.
  void drop_deviations() {
    for (std::size_t part = std::max<std::size_t>(best_.deviations.size() / 2, 1);; part = std::max<std::size_t>(part / 2, 1)) {
      const bool dropped = drop_parts(part);
      if (steps_left_ == 0 || best_.deviations.empty() || (part == 1 && !dropped)) return;
    }
  }
  [[nodiscard]] bool drop_parts(std::size_t part) {
    bool dropped = false;
    for (std::size_t at = 0; at < best_.deviations.size() && steps_left_ != 0;) {
      std::vector<deviation> fewer = best_.deviations;
      const auto first = fewer.begin() + static_cast<std::ptrdiff_t>(at);
      fewer.erase(first, first + static_cast<std::ptrdiff_t>(std::min(part, fewer.size() - at)));
      const auto s = make_replay(std::move(fewer));
      static_cast<void>(s->begin());
      if (improves(*s))
        dropped = true;
      else
        at += part;
    }
    return dropped;
  }

  // All schedules with fewer preemptions, as far as the steps last.
  [[nodiscard]] bool search(std::uint32_t bound) {
    const auto s = make_strategy({.bound = bound});
    while (steps_left_ != 0 && s->begin())
      if (improves(*s)) return true;
    return false;
  }

  engine& engine_;
  outcome best_;
  std::uint64_t steps_left_;
};

}  // namespace

outcome minimise(engine& runs, const outcome& failed, std::uint64_t max_steps) { return minimiser{runs, failed, max_steps}.run(); }

}  // namespace xip::explore
