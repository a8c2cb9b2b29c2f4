// orders: in which orders calls that were made at the same time may have taken effect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "crash/oracle.h"

namespace xip::crash {

// Calls by their number.
using call_order = std::vector<std::uint32_t>;

struct timed_call {
  std::uint32_t call;
  std::uint32_t task;
  step_time time;
};

// All orders in which each call comes behind those that had ended before it began: its own task's, and others'. Of orders that differ only in neighbours of two tasks
// that commute there is one. More than MOST are not looked for: then there are none.
[[nodiscard]] std::vector<call_order> orders_of(std::span<const timed_call> calls,
                                                const std::function<bool(std::uint32_t, std::uint32_t)>& commute, std::size_t most);

}  // namespace xip::crash
