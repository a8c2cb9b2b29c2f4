// The strategies there are; make_strategy picks one.
#pragma once

#include <bit>

#include <xip/explore/strategy.h>

namespace xip::explore {

[[nodiscard]] std::unique_ptr<strategy> make_exhaustive(const strategy_spec& spec, shard part);
[[nodiscard]] std::unique_ptr<strategy> make_pct(const strategy_spec& spec, shard part, std::uint64_t first);
[[nodiscard]] std::unique_ptr<strategy> make_random_walk(const strategy_spec& spec, shard part, std::uint64_t first);

// The first schedule of PART that is not before FIRST, where parts take numbers in turn.
[[nodiscard]] constexpr std::uint64_t first_number(std::uint64_t first, shard part) noexcept {
  return first + (part.index + part.count - first % part.count) % part.count;
}

[[nodiscard]] constexpr std::uint32_t first_of(task_set tasks) noexcept { return static_cast<std::uint32_t>(std::countr_zero(tasks)); }

}  // namespace xip::explore
