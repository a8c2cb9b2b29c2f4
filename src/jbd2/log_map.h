// Where a journal's blocks lie on its device.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <vector>

#include <xip/base/units.h>

namespace xip::jbd2 {

struct log_extent {
  std::uint32_t first;  // block of the journal
  std::uint32_t count;
  pblk_t start;
};

class log_map {
 public:
  explicit log_map(std::pmr::memory_resource& memory) noexcept : extents_{&memory} {}

  // The next blocks. False: E is empty, or does not begin where the last one ends. bad_alloc.
  [[nodiscard]] bool add(const log_extent& e) {
    if (e.count == 0 || e.first != size() || e.count > UINT32_MAX - e.first) return false;
    if (!extents_.empty() && extents_.back().start + extents_.back().count == e.start)
      extents_.back().count += e.count;
    else
      extents_.push_back(e);
    return true;
  }
  [[nodiscard]] std::uint32_t size() const noexcept {
    return extents_.empty() ? 0 : extents_.back().first + extents_.back().count;
  }  // blocks
  // BLOCK is less than size().
  [[nodiscard]] pblk_t find(std::uint32_t block) const noexcept {
    const auto behind = std::ranges::upper_bound(extents_, block, {}, &log_extent::first);
    const log_extent& e = *(behind - 1);
    return pblk_t{e.start.value() + (block - e.first)};
  }
  [[nodiscard]] std::span<const log_extent> extents() const noexcept { return extents_; }
  // In the order of their places on the device. bad_alloc.
  [[nodiscard]] std::pmr::vector<log_extent> by_place() const {
    std::pmr::vector<log_extent> sorted{extents_, extents_.get_allocator()};
    std::ranges::sort(sorted, {}, &log_extent::start);
    return sorted;
  }
  // A block that is there twice. bad_alloc.
  [[nodiscard]] std::optional<pblk_t> overlap() const {
    const std::pmr::vector<log_extent> sorted = by_place();
    for (std::size_t i = 1; i < sorted.size(); ++i)
      if (sorted[i].start < sorted[i - 1].start + sorted[i - 1].count) return sorted[i].start;
    return std::nullopt;
  }

 private:
  std::pmr::vector<log_extent> extents_;
};

// Whether BLOCK is one of EXTENTS, which are by_place()'s and have no block twice.
[[nodiscard]] inline bool contains(std::span<const log_extent> extents, std::uint64_t block) noexcept {
  const auto behind = std::ranges::upper_bound(extents, pblk_t{block}, {}, &log_extent::start);
  return behind != extents.begin() && block - (behind - 1)->start.value() < (behind - 1)->count;
}

}  // namespace xip::jbd2
