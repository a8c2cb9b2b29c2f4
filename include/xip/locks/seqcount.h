// seqcount: small data read without a lock, and read again if a writer came between. Linux: seqcount_t.
// Writers exclude each other by a lock of their own. The data are seq_words, so that reading beside a writer is no data race.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace xip {

class seqcount {
 public:
  constexpr seqcount() noexcept = default;
  seqcount(const seqcount&) = delete;
  seqcount& operator=(const seqcount&) = delete;

  // Waits while a writer is inside; what it returns goes to read_retry.
  [[nodiscard]] std::uint32_t read_begin() const noexcept {
    const std::uint32_t start = sequence_.load(std::memory_order_acquire);
    if ((start & 1) != 0) [[unlikely]]
      return wait_for_writer();
    return start;
  }
  // The same for who has something else to do than to wait: false while a writer is inside.
  [[nodiscard]] bool read_try(std::uint32_t& start) const noexcept {
    start = sequence_.load(std::memory_order_acquire);
    return (start & 1) == 0;
  }
  // What was read since read_begin may be torn: do not use it, read again.
  [[nodiscard]] bool read_retry(std::uint32_t start) const noexcept { return sequence_.load(std::memory_order_relaxed) != start; }

  // For a writer, which holds the lock that excludes other writers. Odd while it is inside.
  void write_begin() noexcept { sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void write_end() noexcept { sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

 private:
  [[nodiscard]] std::uint32_t wait_for_writer() const noexcept;
  std::atomic<std::uint32_t> sequence_{0};
};

class seqcount_write_guard {
 public:
  explicit seqcount_write_guard(seqcount& s) noexcept : seqcount_{s} { s.write_begin(); }
  ~seqcount_write_guard() { seqcount_.write_end(); }
  seqcount_write_guard(const seqcount_write_guard&) = delete;
  seqcount_write_guard& operator=(const seqcount_write_guard&) = delete;

 private:
  seqcount& seqcount_;
};

// A T as atomic words. Words are loaded with acquire and stored with release, which is what ties them to the sequence: a reader that saw
// a writer's word sees its odd sequence too, and cannot have loaded the sequence before the word.
template <class T>
class seq_words {
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr std::size_t words = (sizeof(T) + 7) / 8;
  using array = std::array<std::uint64_t, words>;

 public:
  constexpr seq_words() noexcept = default;
  seq_words(const seq_words&) = delete;
  seq_words& operator=(const seq_words&) = delete;

  // Within read_begin and read_retry, or under the writers' lock.
  [[nodiscard]] T load() const noexcept {
    array copy;
    for (std::size_t i = 0; i < words; ++i) copy[i] = word_[i].load(std::memory_order_acquire);
    T value;
    std::memcpy(static_cast<void*>(&value), copy.data(), sizeof(T));
    return value;
  }
  // Within a seqcount_write_guard.
  void store(const T& value) noexcept {
    array copy{};
    std::memcpy(copy.data(), &value, sizeof(T));
    for (std::size_t i = 0; i < words; ++i) word_[i].store(copy[i], std::memory_order_release);
  }

 private:
  std::array<std::atomic<std::uint64_t>, words> word_{};
};

// A whole T, without a lock.
template <class T>
[[nodiscard]] T seq_read(const seqcount& sequence, const seq_words<T>& words) noexcept {
  for (;;) {
    const std::uint32_t start = sequence.read_begin();
    const T value = words.load();
    if (!sequence.read_retry(start)) [[likely]]
      return value;
  }
}
// The caller holds the lock that excludes other writers.
template <class T>
void seq_write(seqcount& sequence, seq_words<T>& words, const T& value) noexcept {
  const seqcount_write_guard guard{sequence};
  words.store(value);
}

}  // namespace xip
