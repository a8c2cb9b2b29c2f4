// Which attribute blocks there are, by the hash of what they hold: a file that gets the same attributes shares one of them. Linux: fs/mbcache.c.
//
// It may forget a block, which then is not shared by anybody who comes later; it must never remember one that was freed.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <span>
#include <vector>

#include <xip/base/units.h>

namespace xip::ext4lite {

class xattr_index {
 public:
  explicit xattr_index(std::pmr::memory_resource& memory) noexcept : sets_{&memory} {}

  // BLOCK is not remembered yet. Zero is no hash: such a block is nobody else's. Without memory it is forgotten at once.
  void insert(std::uint32_t hash, pblk_t block) noexcept {
    if (hash == 0 || !make_sets()) return;
    set& s = set_of(hash);
    std::ranges::rotate(s, s.end() - 1);  // the oldest goes
    s.front() = {hash, block};
  }
  // It is freed, or about to hold something else.
  void forget(pblk_t block) noexcept {
    for (set& s : sets_)
      for (entry& e : s)
        if (e.block == block) e = {};
  }
  struct entry {
    std::uint32_t hash = 0;  // 0: none
    pblk_t block;
  };
  static constexpr std::size_t ways = 8;
  using set = std::array<entry, ways>;
  // Those among which blocks of HASH are.
  [[nodiscard]] std::span<const entry> candidates(std::uint32_t hash) const noexcept {
    if (sets_.empty()) return {};
    return sets_[hash % set_count];
  }

 private:
  static constexpr std::size_t set_count = 251;

  [[nodiscard]] set& set_of(std::uint32_t hash) noexcept { return sets_[hash % set_count]; }
  [[nodiscard]] bool make_sets() noexcept {
    if (!sets_.empty()) return true;
    try {
      sets_.resize(set_count);
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }

  std::pmr::vector<set> sets_;
};

}  // namespace xip::ext4lite
