#include <utility>

#include "explore/strategies.h"

namespace xip::explore {
namespace {

class replay final : public strategy {
 public:
  explicit replay(std::vector<deviation> deviations) noexcept : deviations_{std::move(deviations)} {}

  [[nodiscard]] bool begin() override {
    at_ = 0;
    diverged_ = false;
    return !std::exchange(begun_, true);
  }
  [[nodiscard]] std::uint32_t choose(const choice& c) noexcept override {
    while (at_ < deviations_.size() && deviations_[at_].step < c.step) skip();
    if (at_ == deviations_.size() || deviations_[at_].step != c.step) return c.usual;
    const std::uint32_t task = deviations_[at_++].task;
    if (task < 64 && (c.candidates & only(task)) != 0) return task;
    diverged_ = true;
    return c.usual;
  }
  void end() override { diverged_ = diverged_ || at_ < deviations_.size(); }

  [[nodiscard]] strategy_spec spec() const noexcept override { return {}; }
  [[nodiscard]] std::uint64_t number() const noexcept override { return 0; }
  [[nodiscard]] bool diverged() const noexcept override { return diverged_; }

 private:
  void skip() noexcept {
    ++at_;
    diverged_ = true;
  }

  std::vector<deviation> deviations_;
  std::size_t at_ = 0;
  bool begun_ = false;
  bool diverged_ = false;
};

}  // namespace

std::unique_ptr<strategy> make_replay(std::vector<deviation> deviations) { return std::make_unique<replay>(std::move(deviations)); }

}  // namespace xip::explore
