#include "crash/orders.h"

#include <algorithm>

namespace xip::crash {
namespace {

class search {
 public:
  search(std::span<const timed_call> calls, const std::function<bool(std::uint32_t, std::uint32_t)>& commute, std::size_t most)
      : calls_{calls}, commute_{commute}, most_{most}, used_(calls.size()) {}

  [[nodiscard]] std::vector<call_order> run() {
    extend(none);
    if (found_.size() > most_) found_.clear();
    return std::move(found_);
  }

 private:
  static constexpr std::size_t none = ~std::size_t{0};

  // Nobody who is left had ended before it began.
  [[nodiscard]] bool may_be_next(std::size_t i) const {
    for (std::size_t other = 0; other < calls_.size(); ++other)
      if (!used_[other] && other != i && calls_[other].time.ended < calls_[i].time.begun) return false;
    return true;
  }
  // The same order with the two exchanged is found too, and is the first of its like.
  [[nodiscard]] bool is_repeated(std::size_t last, std::size_t i) const {
    if (last == none || calls_[i].task >= calls_[last].task) return false;
    return calls_[last].time.overlaps(calls_[i].time) && commute_(calls_[last].call, calls_[i].call);
  }

  void extend(std::size_t last) {
    if (found_.size() > most_) return;
    if (order_.size() == calls_.size()) return found_.push_back(order_);
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      if (used_[i] || !may_be_next(i) || is_repeated(last, i)) continue;
      used_[i] = true;
      order_.push_back(calls_[i].call);
      extend(i);
      order_.pop_back();
      used_[i] = false;
    }
  }

  std::span<const timed_call> calls_;
  const std::function<bool(std::uint32_t, std::uint32_t)>& commute_;
  const std::size_t most_;
  std::vector<bool> used_;
  call_order order_;
  std::vector<call_order> found_;
};

}  // namespace

std::vector<call_order> orders_of(std::span<const timed_call> calls, const std::function<bool(std::uint32_t, std::uint32_t)>& commute,
                                  std::size_t most) {
  return search{calls, commute, most}.run();
}

}  // namespace xip::crash
