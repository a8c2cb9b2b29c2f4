// How one scenario ended, as the processes that ran it tell each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <xip/scenario/expectation.h>

namespace xip::scenario {

enum class verdict : std::uint8_t { passed, failed, not_run, interrupted };

struct outcome {
  verdict how = verdict::passed;
  std::string why;                // not run: the reason
  std::vector<failure> failures;  // failed: all that was wrong, the cause first
  std::string log;                // what it printed, and the file system's log; the end of it
  std::string kept_image;         // failed: where image and log are
  std::string kept_log;
  std::uint64_t seed = 0;
  double seconds = 0;

  void add(failure f) {
    how = verdict::failed;
    failures.push_back(std::move(f));
  }
};

[[nodiscard]] std::string encode(const outcome& o);
// False: TEXT is not a whole outcome (its writer died).
[[nodiscard]] bool decode(const std::string& text, outcome& to);

}  // namespace xip::scenario
