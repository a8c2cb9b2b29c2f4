// Every schedule, depth first. The path from the root is a stack of the places that still have or had alternatives; a schedule repeats the
// stack and goes the usual way from there, pushing the alternatives it passes; the last place with one left is where the next leaves it.
#include <vector>

#include "explore/strategies.h"

namespace xip::explore {
namespace {

class exhaustive final : public strategy {
 public:
  exhaustive(const strategy_spec& spec, shard part) noexcept : spec_{spec}, part_{part} {}

  [[nodiscard]] bool begin() override {
    depth_ = 0;
    spent_ = 0;
    diverged_ = false;
    if (!started_) {
      started_ = true;
      return true;
    }
    ++number_;
    return advance();
  }

  [[nodiscard]] std::uint32_t choose(const choice& c) noexcept override {
    if (depth_ < path_.size()) {
      if (path_[depth_].step == c.step) return repeat(path_[depth_++], c);
      diverged_ = diverged_ || path_[depth_].step < c.step;
      return c.usual;
    }
    const task_set others = affordable(c);
    if (others != 0) {
      path_.push_back({c.step, others, c.candidates, c.usual, c.usual});
      ++depth_;
    }
    return c.usual;
  }

  void end() override { diverged_ = diverged_ || depth_ < path_.size(); }

  [[nodiscard]] strategy_spec spec() const noexcept override { return spec_; }
  [[nodiscard]] std::uint64_t number() const noexcept override { return number_; }
  // The usual schedule, which every part has to run to see where it may be left, belongs to the first.
  [[nodiscard]] bool counts() const noexcept override { return number_ != 0 || part_.index == 0; }
  [[nodiscard]] bool diverged() const noexcept override { return diverged_; }

 private:
  struct place {
    std::uint64_t step;
    task_set untried;
    task_set candidates;
    std::uint32_t usual;
    std::uint32_t taken;
  };

  [[nodiscard]] std::uint32_t repeat(const place& p, const choice& c) noexcept {
    if (p.candidates != c.candidates) {
      diverged_ = true;
      return c.usual;
    }
    spent_ += c.cost(p.taken);
    return p.taken;
  }

  // Who may go on in place of the usual task within the bound.
  [[nodiscard]] task_set affordable(const choice& c) const noexcept {
    const task_set others = c.candidates & ~only(c.usual);
    if (spent_ < spec_.bound) return others;
    return c.voluntary ? others & ~c.early : 0;
  }

  [[nodiscard]] bool advance() {
    while (!path_.empty()) {
      place& last = path_.back();
      while (last.untried != 0) {
        last.taken = first_of(last.untried);
        last.untried &= last.untried - 1;
        if (mine()) return true;
      }
      path_.pop_back();
    }
    return false;
  }

  // The parts divide the schedules by the first place where they leave the usual one. Those places all lie on the usual schedule and are
  // come by in the same order in every part.
  [[nodiscard]] bool mine() noexcept {
    for (std::size_t i = 0; i + 1 < path_.size(); ++i)
      if (path_[i].taken != path_[i].usual) return true;
    return first_deviations_++ % part_.count == part_.index;
  }

  strategy_spec spec_;
  shard part_;
  std::vector<place> path_;
  std::size_t depth_ = 0;
  std::uint32_t spent_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t first_deviations_ = 0;
  bool started_ = false;
  bool diverged_ = false;
};

}  // namespace

std::unique_ptr<strategy> make_exhaustive(const strategy_spec& spec, shard part) { return std::make_unique<exhaustive>(spec, part); }

}  // namespace xip::explore
