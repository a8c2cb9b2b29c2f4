#include "crash/minimise.h"

#include <algorithm>
#include <utility>

namespace xip::crash {
namespace {

class minimiser {
 public:
  minimiser(const state_space& space, const arrivals& failed, bool towards_all, std::uint64_t runs,
            const std::function<bool(const arrivals&)>& fails)
      : space_{space}, best_{failed}, towards_all_{towards_all}, runs_{runs}, fails_{fails} {}

  // Parts of the lines that are not there yet, the larger ones first, then one by one, until none of them can be moved.
  void run() {
    for (std::size_t part = std::max<std::size_t>(others().size() / 2, 1);; part = std::max<std::size_t>(part / 2, 1)) {
      const bool moved = move_parts(part);
      if (runs_ == 0 || others().empty() || (part == 1 && !moved)) return;
    }
  }
  [[nodiscard]] const arrivals& best() const noexcept { return best_; }
  [[nodiscard]] std::size_t size() const { return others().size(); }

 private:
  [[nodiscard]] std::uint32_t goal(std::uint32_t place) const noexcept { return towards_all_ ? space_.made(place) : space_.surely(place); }
  [[nodiscard]] std::vector<std::uint32_t> others() const {
    std::vector<std::uint32_t> places;
    for (std::uint32_t place = 0; place < best_.size(); ++place)
      if (best_[place] != goal(place)) places.push_back(place);
    return places;
  }
  [[nodiscard]] bool move_parts(std::size_t part) {
    bool moved = false;
    const std::vector<std::uint32_t> places = others();
    for (std::size_t at = 0; at < places.size() && runs_ != 0; at += part) {
      arrivals tried = best_;
      for (std::size_t i = at; i < std::min(at + part, places.size()); ++i) tried[places[i]] = goal(places[i]);
      --runs_;
      if (!fails_(tried)) continue;
      best_ = std::move(tried);
      moved = true;
    }
    return moved;
  }

  const state_space& space_;
  arrivals best_;
  bool towards_all_;
  std::uint64_t runs_;
  const std::function<bool(const arrivals&)>& fails_;
};

}  // namespace

arrivals minimise(const state_space& space, const arrivals& failed, std::uint64_t runs, const std::function<bool(const arrivals&)>& fails) {
  minimiser fewest_arrived{space, failed, false, runs / 2, fails}, fewest_missing{space, failed, true, runs / 2, fails};
  fewest_arrived.run();
  fewest_missing.run();
  return fewest_missing.size() < fewest_arrived.size() ? fewest_missing.best() : fewest_arrived.best();
}

}  // namespace xip::crash
