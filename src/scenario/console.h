// What is said on standard output, and whether it got there.
#pragma once

#include <string_view>

#include <xip/base/result.h>

namespace xip::scenario {

class console {
 public:
  // Goes out at once; nothing is tried again after a failure.
  void put(std::string_view text);
  // CODE, or 1 when something could not be written, which is said on standard error in the name of PROGRAM. A reader that went away knows.
  [[nodiscard]] int finish(const char* program, int code) const;

 private:
  int failed_ = 0;  // errno of the first failure
};

// Descriptors 0 and 2 are open from here on: no file of ours takes their place. Closed output stays closed: false.
[[nodiscard]] bool standard_descriptors_are_open() noexcept;

}  // namespace xip::scenario
