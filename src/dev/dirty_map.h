// Which parts of a mapped file were stored to since they were last written out: one bit for each 64 KiB.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

namespace xip::dev {

// mark() may run in any number of threads beside one take(). A store is marked after it was made: whoever takes the mark then writes out
// the store too. The exchange and the marks are on one atomic word, and a read-modify-write of it also orders the stores before it, so a
// mark cannot be overlooked between "taken" and "set again".
class dirty_map {
 public:
  static constexpr unsigned shift = 16;

  explicit dirty_map(std::uint64_t bytes) : bytes_{bytes}, words_((bytes + bytes_per_word - 1) / bytes_per_word) {}

  void mark(std::uint64_t offset, std::uint64_t bytes) noexcept {
    if (bytes == 0) return;
    const std::uint64_t last = (offset + bytes - 1) >> shift;
    for (std::uint64_t bit = offset >> shift; bit <= last;) {
      const std::uint64_t end = std::min(last, bit | 63);
      words_[bit / 64].fetch_or(mask(bit % 64, end % 64));
      bit = end + 1;
    }
  }

  // Clears all marks and calls VISIT(offset, bytes) for each run of what was marked.
  template <class Visit>
  void take(Visit&& visit) {
    std::uint64_t start = 0, end = 0;
    for (std::uint64_t word = 0; word < words_.size(); ++word) {
      std::uint64_t bits = words_[word].exchange(0);
      for (; bits != 0; bits &= bits - 1) {
        const std::uint64_t at = (word * 64 + static_cast<unsigned>(std::countr_zero(bits))) << shift;
        if (at != end) {
          report(visit, start, end);
          start = at;
        }
        end = at + (std::uint64_t{1} << shift);
      }
    }
    report(visit, start, end);
  }

 private:
  static constexpr std::uint64_t bytes_per_word = std::uint64_t{64} << shift;

  static constexpr std::uint64_t mask(std::uint64_t first, std::uint64_t last) noexcept {
    return (~std::uint64_t{0} << first) & (~std::uint64_t{0} >> (63 - last));
  }
  template <class Visit>
  void report(Visit& visit, std::uint64_t start, std::uint64_t end) {
    if (start < end) visit(start, std::min(end, bytes_) - start);
  }

  std::uint64_t bytes_;
  std::vector<std::atomic<std::uint64_t>> words_;
};

}  // namespace xip::dev
