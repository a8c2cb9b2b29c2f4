// fewest_steps: a workload that fails with fewer calls.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <xip/crash/workload.h>

namespace xip::crash {

// Leaves out calls of W, of its setup too, larger parts first, and those at the end first, as long as FAILS. W does. At most RUNS workloads are tried.
[[nodiscard]] workload fewest_steps(const workload& w, std::uint64_t runs, const std::function<bool(const workload&)>& fails);

// What FAILURE says, but for where, when, and which bytes: the same for one bug in workloads of other calls.
[[nodiscard]] std::string kind_of_failure(std::string_view failure);

}  // namespace xip::crash
