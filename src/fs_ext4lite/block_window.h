// Free blocks that are kept for files that grow, behind their last ones, so that two files that grow in turn do not lie between each other.
// In memory only: on the medium these blocks are free, and when nothing else is left everybody may have them. Linux: the preallocation of
// an inode in fs/ext4/mballoc.c.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <xip/base/units.h>

#include "fs_ext4lite/bitmap.h"

namespace xip::ext4lite {

// COUNT blocks of a group from FIRST are kept for OWNER.
struct block_window {
  ino_t owner;
  std::uint32_t first = 0;
  std::uint32_t count = 0;  // 0: an empty place
};

// COUNT bits of WORDS from FIRST become VALUE.
inline void fill_words(std::span<std::uint64_t> words, std::uint32_t first, std::uint32_t count, bool value) noexcept {
  for (std::uint32_t n = first; n < first + count;) {
    const std::uint32_t in_word = std::min(64 - n % 64, first + count - n);
    const std::uint64_t mask = in_word == 64 ? ~std::uint64_t{0} : ((std::uint64_t{1} << in_word) - 1) << (n % 64);
    words[n / 64] = value ? words[n / 64] | mask : words[n / 64] & ~mask;
    n += in_word;
  }
}

// The windows of one group. WITHHELD is the group's map of free blocks that are not to be handed out: a window's bits are set there as long as
// it exists. Under the group's lock.
class block_windows {
 public:
  [[nodiscard]] block_window* of(ino_t owner) noexcept {
    for (block_window& w : windows_)
      if (w.count != 0 && w.owner == owner) return &w;
    return nullptr;
  }
  // Up to WANT blocks from the beginning of W.
  [[nodiscard]] bit_run take(block_window& w, std::uint32_t want, std::span<std::uint64_t> withheld) noexcept {
    const bit_run run{w.first, std::min(w.count, want)};
    fill_words(withheld, run.first, run.count, false);
    w.first += run.count;
    w.count -= run.count;
    return run;
  }
  // The oldest one gives way where there is no room. How many windows there are more than before.
  int keep(ino_t owner, const bit_run& run, std::span<std::uint64_t> withheld) noexcept {
    block_window* place = nullptr;
    for (block_window& w : windows_)
      if (w.count == 0) place = &w;
    const int more = place != nullptr ? 1 : 0;
    if (place == nullptr) {
      place = &windows_[oldest_++ % windows_.size()];
      drop(*place, withheld);
    }
    *place = {owner, run.first, run.count};
    fill_words(withheld, run.first, run.count, true);
    return more;
  }
  void drop(block_window& w, std::span<std::uint64_t> withheld) noexcept {
    fill_words(withheld, w.first, w.count, false);
    w.count = 0;
  }
  // How many there were.
  int drop_all(std::span<std::uint64_t> withheld) noexcept {
    int dropped = 0;
    for (block_window& w : windows_) {
      if (w.count == 0) continue;
      drop(w, withheld);
      ++dropped;
    }
    return dropped;
  }
  // The bits of all of them go from MAP, a copy of WITHHELD.
  void clear_in(std::span<std::uint64_t> map) const noexcept {
    for (const block_window& w : windows_) fill_words(map, w.first, w.count, false);
  }

 private:
  std::array<block_window, 8> windows_{};
  std::uint32_t oldest_ = 0;
};

}  // namespace xip::ext4lite
