// calls: the steps of several tasks as system calls, one each. Where nothing is atomic but a call, a step that opens a file by its path, changes it, and closes
// it again is three of them, and others may come between.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <xip/crash/workload.h>

namespace xip::crash {

struct task_call {
  step what;
  std::uint32_t of;  // its step's place in the workload
  std::string text;  // "task 2: fsync A/foo: open"
};

// Those of one task are in the order in which it makes them.
[[nodiscard]] std::vector<task_call> calls_of(const workload& w);

// It finds its file or directory by a path, and changes it or its names.
[[nodiscard]] bool goes_by_path(const step& s) noexcept;
// Makes A, a path that B goes by, lead elsewhere.
[[nodiscard]] bool leads_elsewhere(const step& a, const step& b) noexcept;
// A changes a name that B asks for: in the middle of A it may be found as it was although that is in the log, or the other way round.
[[nodiscard]] bool changes_name_of(const step& a, const step& b) noexcept;
// Calls of two tasks that make, and answer, the same in either order, and of which one at least changes nothing: neither is asked about names while the other changes some.
[[nodiscard]] bool commute(const step& a, const step& b) noexcept;
// Promises that something survives, if its file was not opened to promise it.
[[nodiscard]] bool makes_durable(const step& s) noexcept;

}  // namespace xip::crash
