// Stacks as lockdep keeps them: addresses now, names only when a person asks.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xip {

struct stack_trace {
  std::array<void*, 20> frames{};
  std::uint32_t depth = 0;

  // Of the running thread.
  [[nodiscard]] static stack_trace here() noexcept;
  [[nodiscard]] std::span<void* const> addresses() const noexcept { return {frames.data(), depth}; }
};

// The function each address lies in, as C++ spells it but without its parameters; "?" where no symbol is known. Reads the symbol tables of
// the objects that are loaded, once for all ADDRESSES; local functions too, as long as nobody stripped them.
[[nodiscard]] std::vector<std::string> function_names(std::span<void* const> addresses);

// Whether NAME is part of the locks themselves, and not of whoever takes them.
[[nodiscard]] bool is_lock_machinery(std::string_view name) noexcept;

}  // namespace xip
