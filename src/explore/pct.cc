// Probabilistic concurrency testing. The task with the highest priority goes on; at each of DEPTH - 1 random places the running task gets
// the lowest priority so far. A timer that could fire early is left alone but at such a place, where half of the time it fires instead.
// Places are counted where that changes anything: a task that cannot go on has no need of a lower priority. Fewer places, better chances.
#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include <xip/explore/scheduler.h>

#include "explore/random.h"
#include "explore/strategies.h"

namespace xip::explore {
namespace {

class pct final : public strategy {
 public:
  pct(const strategy_spec& spec, shard part, std::uint64_t first) : spec_{spec}, part_{part}, next_{first_number(first, part)} {
    changes_.reserve(spec.bound);
  }

  [[nodiscard]] bool begin() override {
    number_ = next_;
    next_ += part_.count;
    spec_.length = std::max(spec_.length, longest_);
    random_ = random_numbers{spec_.seed, number_};
    ranked_ = 0;
    asked_ = 0;
    lowest_ = first_rank;
    place_changes();
    return true;
  }

  [[nodiscard]] std::uint32_t choose(const choice& c) noexcept override {
    rank_new(c.candidates | only(c.usual));
    const bool change = (!c.voluntary || c.early != 0) && change_due();
    if (change && c.early != 0 && (random_.next() & 1) != 0) return first_of(c.early);
    if (change && !c.voluntary) rank_[c.running] = --lowest_;
    const task_set willing = c.candidates & ~c.early;
    return highest(willing != 0 ? willing : c.candidates);
  }

  void end() override { longest_ = std::max(longest_, asked_); }

  [[nodiscard]] strategy_spec spec() const noexcept override { return spec_; }
  [[nodiscard]] std::uint64_t number() const noexcept override { return number_; }

 private:
  // Below it lie the ranks of those who were lowered, above it random ones.
  static constexpr std::uint64_t first_rank = std::uint64_t{1} << 32;

  // Places behind the end change nothing: that is how a bug of less depth is found where every change would spoil it.
  void place_changes() {
    changes_.clear();
    const std::uint64_t length = std::max<std::uint64_t>(spec_.length, 1) + spec_.bound - 1;
    for (std::uint32_t i = 1; i < spec_.bound;) {
      const std::uint64_t place = random_.below(length);
      if (std::ranges::find(changes_, place) != changes_.end()) continue;
      changes_.push_back(place);
      ++i;
    }
    std::ranges::sort(changes_, std::greater{});
  }
  [[nodiscard]] bool change_due() noexcept {
    const std::uint64_t now = asked_++;
    if (changes_.empty() || changes_.back() != now) return false;
    changes_.pop_back();
    return true;
  }
  void rank_new(task_set tasks) noexcept {
    for (task_set left = tasks & ~ranked_; left != 0; left &= left - 1) rank_[first_of(left)] = first_rank + random_.next() / 2;
    ranked_ |= tasks;
  }
  [[nodiscard]] std::uint32_t highest(task_set tasks) const noexcept {
    std::uint32_t best = first_of(tasks);
    for (; tasks != 0; tasks &= tasks - 1)
      if (rank_[first_of(tasks)] > rank_[best]) best = first_of(tasks);
    return best;
  }

  strategy_spec spec_;
  shard part_;
  std::uint64_t next_;
  std::uint64_t number_ = 0;
  random_numbers random_{0, 0};
  std::array<std::uint64_t, max_tasks> rank_{};
  task_set ranked_ = 0;
  std::uint64_t lowest_ = first_rank;
  std::vector<std::uint64_t> changes_;  // the next one last
  std::uint64_t asked_ = 0;
  std::uint64_t longest_ = 0;
};

}  // namespace

std::unique_ptr<strategy> make_pct(const strategy_spec& spec, shard part, std::uint64_t first) {
  return std::make_unique<pct>(spec, part, first);
}

}  // namespace xip::explore
