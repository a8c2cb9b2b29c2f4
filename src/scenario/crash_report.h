// How crashed workloads are shown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <xip/crash/campaign.h>
#include <xip/crash/engine.h>
#include <xip/crash/workload.h>
#include <xip/explore/strategy.h>

namespace xip::scenario {

struct crashed_workload {
  crash::workload what;
  crash::crash_report found;
  std::vector<int> answers;                      // of its steps; of two tasks' calls
  std::optional<crash::raced_report> race = {};  // of two tasks
  // Of a failure: the same with fewer calls; none were found, or looked for, where there is nothing.
  std::optional<crash::crash_campaign::smaller> least = {};
};

// All workloads of a run together.
struct crash_totals {
  std::uint64_t passed = 0, failed = 0;
  std::uint64_t points = 0, states = 0, unique_images = 0, meanings = 0;
  std::uint64_t cut = 0;                                        // workloads with a moment of which not all states were run
  std::uint64_t refused = 0;                                    // with a call that was refused
  std::uint64_t schedules = 0, histories = 0, unexplained = 0;  // of two tasks
  std::uint64_t fsck_images = 0;
  std::uint64_t recoveries = 0;
  double seconds = 0, fsck_seconds = 0;

  void add(const crashed_workload& w);
  // In the time that e2fsck did not take: states that were looked at, many of which have an image that was known; and images that were recovered and read.
  [[nodiscard]] double states_per_second() const noexcept { return per_second(states, seconds - fsck_seconds); }
  [[nodiscard]] double recoveries_per_second() const noexcept { return per_second(recoveries, seconds - fsck_seconds); }
  // Images that e2fsck saw, in the time that it took.
  [[nodiscard]] double fsck_per_second() const noexcept { return per_second(fsck_images, fsck_seconds); }

 private:
  [[nodiscard]] static double per_second(std::uint64_t count, double time) noexcept {
    return time > 0 ? static_cast<double>(count) / time : 0;
  }
};

struct crash_run {
  std::uint32_t unit = 0;
  std::string_view device;
  std::uint64_t seed = 1;
  explore::shard part;
  std::string exhibit;         // empty: none
  std::string interrupted_by;  // a signal; empty: the run went to its end
  std::string out_of_time;     // how many workloads are left; empty: none
};

// The line of a workload; for a failure what it was, where, and the command that repeats it.
[[nodiscard]] std::string text_report(const crashed_workload& w, const char* program);
[[nodiscard]] std::string closing_line(const crash_totals& all, const crash_run& how);
// FAILED: those that did, in full; of the others the totals know.
[[nodiscard]] std::string json_report(const std::vector<crashed_workload>& failed, const crash_totals& all, const crash_run& how);
[[nodiscard]] std::string junit_report(const std::vector<crashed_workload>& failed,
                                       const std::vector<std::pair<std::string, double>>& passed, const char* program);
// One state that was replayed.
[[nodiscard]] std::string text_report(const crash::workload& w, const crash::state_report& s);
[[nodiscard]] std::string json_report(const crash::workload& w, const crash::state_report& s);

}  // namespace xip::scenario
