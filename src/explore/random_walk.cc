#include "explore/random.h"
#include "explore/strategies.h"

namespace xip::explore {
namespace {

class random_walk final : public strategy {
 public:
  random_walk(const strategy_spec& spec, shard part, std::uint64_t first) noexcept
      : spec_{spec}, part_{part}, next_{first_number(first, part)} {}

  [[nodiscard]] bool begin() override {
    number_ = next_;
    next_ += part_.count;
    random_ = random_numbers{spec_.seed, number_};
    return true;
  }
  [[nodiscard]] std::uint32_t choose(const choice& c) noexcept override {
    task_set left = c.candidates;
    for (std::uint64_t skip = random_.below(static_cast<std::uint64_t>(std::popcount(left))); skip != 0; --skip) left &= left - 1;
    return first_of(left);
  }

  [[nodiscard]] strategy_spec spec() const noexcept override { return spec_; }
  [[nodiscard]] std::uint64_t number() const noexcept override { return number_; }

 private:
  strategy_spec spec_;
  shard part_;
  std::uint64_t next_;
  std::uint64_t number_ = 0;
  random_numbers random_{0, 0};
};

}  // namespace

std::unique_ptr<strategy> make_random_walk(const strategy_spec& spec, shard part, std::uint64_t first) {
  return std::make_unique<random_walk>(spec, part, first);
}

}  // namespace xip::explore
