// How a schedule can fail.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace xip::explore {

// What a task's body or a check throws to fail. Any other std::exception does as well.
class failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class failure_kind : std::uint8_t {
  none,
  setup,           // the setup threw, blocked, or a state could not be saved
  body,            // a task's body threw
  check,           // the check threw or blocked
  reported,        // a listener called scheduler::fail
  deadlock,        // nobody can run, and somebody waits for a lock
  lost_wakeup,     // nobody can run, and those who wait do so in wait queues, completions and joins
  livelock,        // more steps than a schedule may have
  nondeterminism,  // the same choices led elsewhere
};

// "lost wake-up"
[[nodiscard]] std::string_view failure_name(failure_kind kind) noexcept;

}  // namespace xip::explore
