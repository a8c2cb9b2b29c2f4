// How explorations are shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <xip/explore/explore.h>
#include <xip/scenario/scenario.h>

namespace xip::scenario {

struct explored {
  const scenario* what = nullptr;
  explore::report found;
  std::size_t images = 0;        // that e2fsck was asked about
  std::size_t crash_states = 0;  // that were mounted and judged
  std::size_t state_bytes = 0;   // of the kernel instance
};

// What the whole run was.
struct exploration {
  std::uint64_t seed = 0;
  std::uint32_t image = 0;  // checksum of the file system that each schedule begins with
  explore::shard part;
  std::string_view exhibit;    // the planted bug; empty: none
  bool unchecked = false;      // what lockdep reports failed nothing
  std::string interrupted_by;  // a signal; empty: the run went to its end
};

// The line of a race and, for a failure, what it was and the commands that repeat it; ends with a newline.
[[nodiscard]] std::string text_report(const explored& e, const char* program);
[[nodiscard]] std::string closing_line(const std::vector<explored>& all, const exploration& how);
[[nodiscard]] std::string json_report(const std::vector<explored>& all, const exploration& how);

// One schedule that was replayed.
[[nodiscard]] std::string text_report(const scenario& what, const explore::schedule_report& s);
[[nodiscard]] std::string json_report(const scenario& what, const explore::schedule_report& s);

}  // namespace xip::scenario
