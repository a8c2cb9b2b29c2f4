// Numbers of transactions that the log may still have blocks of. A log that begins anew must not come to one of them: a block that is left over could be
// taken for the continuation of what was written before it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <vector>

#include <xip/base/result.h>

namespace xip::jbd2 {

class used_sequences {
 public:
  explicit used_sequences(std::pmr::memory_resource& memory) : numbers_{&memory} {}

  void clear() noexcept { numbers_.clear(); }
  [[nodiscard]] std::size_t size() const noexcept { return numbers_.size(); }
  // In any order; sort() comes before the next question. ENOMEM.
  [[nodiscard]] result<> add(std::uint32_t sequence) noexcept {
    if (!numbers_.empty() && numbers_.back() == sequence) return {};
    try {
      numbers_.push_back(sequence);
    } catch (const std::bad_alloc&) {
      return fail(ENOMEM);
    }
    return {};
  }
  void sort() noexcept {
    std::ranges::sort(numbers_);
    const auto [first, last] = std::ranges::unique(numbers_);
    numbers_.erase(first, last);
  }
  // Any of the LENGTH numbers from FIRST on. They wrap.
  [[nodiscard]] bool overlaps(std::uint32_t first, std::uint32_t length) const noexcept {
    if (numbers_.empty()) return false;
    const auto next = std::ranges::lower_bound(numbers_, first);
    return (next != numbers_.end() ? *next : numbers_.front()) - first < length;
  }
  // The first number from SEQUENCE on that comes after all of those that come after it.
  [[nodiscard]] std::uint32_t behind(std::uint32_t sequence) const noexcept {
    std::uint32_t most = 0;
    for (const std::uint32_t n : numbers_)
      if (n - sequence < UINT32_MAX / 2) most = std::max(most, n - sequence + 1);
    return sequence + most;
  }

 private:
  std::pmr::vector<std::uint32_t> numbers_;
};

}  // namespace xip::jbd2
