// Chance from a seed. The same seed gives the same numbers on every machine.
#pragma once

#include <cstdint>
#include <string_view>

namespace xip::scenario {

class random_source {
 public:
  constexpr explicit random_source(std::uint64_t seed) noexcept : state_{seed} {}

  // splitmix64 (Steele, Lea, Flood 2014)
  constexpr std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 to BOUND - 1; BOUND is not 0.
  constexpr std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  // FIRST to LAST, both included.
  constexpr std::uint64_t between(std::uint64_t first, std::uint64_t last) noexcept { return first + below(last - first + 1); }
  // True once in N times.
  constexpr bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }
  // A stream of its own, for the thread or phase WHICH.
  [[nodiscard]] constexpr random_source branch(std::uint64_t which) const noexcept {
    random_source mixed{state_ ^ (which + 1) * 0xd6e8feb86659fd93};
    mixed.next();
    return mixed;
  }

 private:
  std::uint64_t state_;
};

// The stream of a scenario under the run's seed.
[[nodiscard]] constexpr random_source random_for(std::uint64_t seed, std::string_view name) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return random_source{hash ^ seed * 0x9e3779b97f4a7c15};
}

}  // namespace xip::scenario
