// The chains (classes held, and the one taken on top) that were found in order: what makes checking the same order again cheap.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include <xip/locks/thread_context.h>

namespace xip {

// A chain as one number: who is held and how, in their order, and who is taken and how. Never zero.
class chain_key {
 public:
  explicit chain_key(const thread_context& me) noexcept {
    for (std::uint32_t i = 0; i < me.held_count; ++i) mix(me.held[i].class_id, me.held[i].exclusive ? 1 : 0);
  }
  [[nodiscard]] std::uint64_t with(std::uint16_t taken, unsigned how) noexcept {
    mix(taken, how);
    return key_ | 1;
  }

 private:
  void mix(std::uint16_t id, unsigned how) noexcept {
    key_ = (key_ ^ (std::uint64_t{id} << 2 | how)) * 0x9e3779b97f4a7c15u;
    key_ ^= key_ >> 29;
  }
  std::uint64_t key_ = 0x2545f4914f6cdd1d;
};

// Read without a lock, added to under lockdep's spin. When it is full, chains that are not in it are checked each time.
class chain_cache {
 public:
  // The number of the stack that first took the last lock of this chain.
  [[nodiscard]] std::optional<std::uint16_t> find(std::uint64_t key) const noexcept {
    for (std::size_t slot = key >> 32;; ++slot) {
      const entry& e = entries_[slot % slots];
      const std::uint64_t there = e.key.load(std::memory_order_acquire);
      if (there == key) return e.stack;
      if (there == 0) return std::nullopt;
    }
  }
  void add(std::uint64_t key, std::uint16_t stack) noexcept {
    if (count_ == slots / 4 * 3 || find(key)) return;
    std::size_t slot = key >> 32;
    while (entries_[slot % slots].key.load(std::memory_order_relaxed) != 0) ++slot;
    entry& e = entries_[slot % slots];
    e.stack = stack;
    e.key.store(key, std::memory_order_release);
    ++count_;
  }

 private:
  static constexpr std::size_t slots = 2048;
  struct entry {
    std::atomic<std::uint64_t> key{0};
    std::uint16_t stack = 0;  // written before key
  };
  std::array<entry, slots> entries_{};
  std::size_t count_ = 0;
};

}  // namespace xip
