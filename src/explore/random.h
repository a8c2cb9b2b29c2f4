// splitmix64: small, and as good from a seed of 1 as from any other. Not the standard library's, whose distributions differ between
// versions: a token has to mean the same schedule everywhere.
#pragma once

#include <cstdint>

namespace xip::explore {

[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
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
