// Whether a directory is listed by names alone or with the attributes of what is in it.
#pragma once

#include <atomic>
#include <cstdint>

namespace xip::fuse {

// The kernel asks for attributes at the beginning of every listing (FUSE_READDIRPLUS_AUTO), since it does not know yet whether anybody looks at the files. Nor
// do we: attributes in that first answer make a listing of 1,000 names take 1.4 times as long, and without them whoever looks asks for each file. So a
// listing begins with names alone. If a file of it is looked up, those of the next directories bring attributes from their beginning on, for nobody would
// be seen to look at these; then one asks anew.
class listing_advice {
 public:
  // A listing of DIRECTORY begins: does it bring attributes?
  [[nodiscard]] bool with_attributes(std::uint64_t directory) noexcept {
    unsigned left = left_.load(std::memory_order_relaxed);
    while (left != 0)
      if (left_.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) return true;
    by_name_.store(directory, std::memory_order_relaxed);
    return false;
  }
  // The kernel has looked up a name of DIRECTORY, of something that is no directory: into those one descends who only wants names, too.
  void looked_up(std::uint64_t directory) noexcept {
    if (by_name_.load(std::memory_order_relaxed) != directory) return;
    if (by_name_.compare_exchange_strong(directory, 0, std::memory_order_relaxed)) left_.store(listings, std::memory_order_relaxed);
  }

 private:
  static constexpr unsigned listings = 64;  // that bring attributes because of one that was missed

  std::atomic<std::uint64_t> by_name_{0};  // the directory whose names were listed alone last; 0: none
  std::atomic<unsigned> left_{0};
};

}  // namespace xip::fuse
