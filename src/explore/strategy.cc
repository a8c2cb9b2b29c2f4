// Strategies by name.
#include <xip/explore/strategy.h>

#include <charconv>

#include "explore/strategies.h"

namespace xip::explore {
namespace {

result<std::uint32_t> parse_number(std::string_view text) noexcept {
  std::uint32_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size()) return fail(EINVAL);
  return number;
}

}  // namespace

std::string strategy_name(const strategy_spec& spec) {
  switch (spec.kind) {
    case strategy_spec::type::exhaustive:
      return spec.bound == strategy_spec::unbounded ? "exhaustive" : "bound=" + std::to_string(spec.bound);
    case strategy_spec::type::pct:
      return "pct=" + std::to_string(spec.bound);
    case strategy_spec::type::random_walk:
      return "random";
  }
  return "?";
}

result<strategy_spec> parse_strategy(std::string_view name) {
  if (name == "exhaustive") return strategy_spec{};
  if (name == "random") return strategy_spec{.kind = strategy_spec::type::random_walk, .bound = 0};
  if (name.starts_with("bound=")) return strategy_spec{.bound = XIP_TRY(parse_number(name.substr(6)))};
  if (!name.starts_with("pct=")) return fail(EINVAL);
  const std::uint32_t depth = XIP_TRY(parse_number(name.substr(4)));
  if (depth == 0 || depth > 64) return fail(EINVAL);
  return strategy_spec{.kind = strategy_spec::type::pct, .bound = depth};
}

std::unique_ptr<strategy> make_strategy(const strategy_spec& spec, shard part, std::uint64_t first) {
  switch (spec.kind) {
    case strategy_spec::type::pct:
      return make_pct(spec, part, first);
    case strategy_spec::type::random_walk:
      return make_random_walk(spec, part, first);
    case strategy_spec::type::exhaustive:
      break;
  }
  return make_exhaustive(spec, part);
}

}  // namespace xip::explore
