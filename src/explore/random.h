// splitmix64: small, and as good from a seed of 1 as from any other. Not the standard library's, whose distributions differ between
// versions: a token has to mean the same schedule everywhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace xip::explore {

[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// A hash of BYTES bytes. Four lanes, since one would wait for each of its multiplications.
[[nodiscard]] inline std::uint64_t hash_bytes(const std::byte* at, std::size_t bytes) noexcept {
  std::array<std::uint64_t, 4> lanes{1, 2, 3, 4};
  const auto take = [](std::uint64_t& lane, const std::byte* from, std::size_t count) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, count);
    lane = (lane ^ word) * 0x9e3779b97f4a7c15;
    lane ^= lane >> 29;
  };
  std::size_t done = 0;
  for (; done + sizeof lanes <= bytes; done += sizeof lanes)
    for (std::size_t i = 0; i < lanes.size(); ++i) take(lanes[i], at + done + i * 8, 8);
  for (; done + 8 <= bytes; done += 8) take(lanes[0], at + done, 8);
  if (done != bytes) take(lanes[1], at + done, bytes - done);
  std::uint64_t sum = bytes;
  for (const std::uint64_t lane : lanes) sum = mix(sum ^ lane);
  return sum;
}

class random_numbers {
 public:
  // Schedule NUMBER of a strategy with SEED: each has a sequence of its own, so that it can be run without those before it.
  constexpr random_numbers(std::uint64_t seed, std::uint64_t number) noexcept : state_{mix(mix(seed + increment) ^ (number * increment))} {}

  [[nodiscard]] constexpr std::uint64_t next() noexcept { return mix(state_ += increment); }
  // Below LIMIT, which is not zero.
  [[nodiscard]] constexpr std::uint64_t below(std::uint64_t limit) noexcept {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * limit) >> 64);
  }

 private:
  static constexpr std::uint64_t increment = 0x9e3779b97f4a7c15;
  std::uint64_t state_;
};

}  // namespace xip::explore
