// Numbers of transactions that the log may still have blocks of. A log that begins anew must not come to one of them: a block that is left over could be
// taken for the continuation of what was written before it.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <new>
#include <vector>

#include <xip/base/result.h>

namespace xip::jbd2 {

class used_sequences {
 public:
  explicit used_sequences(std::pmr::memory_resource& memory) : ranges_{&memory} {}

  void clear() noexcept { ranges_.clear(); }
  // A block of SEQUENCE was found. ENOMEM.
  [[nodiscard]] result<> add(std::uint32_t sequence) noexcept {
    for (range& r : ranges_) {
      if (sequence - r.first > r.count) continue;
      r.count += sequence == r.first + r.count ? 1 : 0;
      return {};
    }
    try {
      ranges_.push_back({sequence, 1});
    } catch (const std::bad_alloc&) {
      return fail(ENOMEM);
    }
    return {};
  }
  // Any of the LENGTH numbers from FIRST on. They wrap.
  [[nodiscard]] bool overlaps(std::uint32_t first, std::uint32_t length) const noexcept {
    for (const range& r : ranges_)
      if (r.first - first < length || first - r.first < r.count) return true;
    return false;
  }

 private:
  struct range {
    std::uint32_t first, count;
  };
  std::pmr::vector<range> ranges_;
};

}  // namespace xip::jbd2
