// Workloads crashed one after the other. Those with the same setup begin on one image, which is made once.
//
// The tasks of a workload that has two are run in many schedules, and what each schedule did to the device is crashed. A moment that is the same in several of them, in
// what may be left and in what may be found, is looked at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xip/crash/engine.h>
#include <xip/crash/file_system.h>
#include <xip/crash/workload.h>
#include <xip/explore/explore.h>

namespace xip::crash {

// How two tasks were explored.
struct raced_report {
  std::uint64_t schedules = 0;
  std::uint64_t histories = 0;    // different ones, which were crashed
  std::uint64_t orders = 0;       // in which calls were made one after the other, to know what may be found
  std::uint64_t unexplained = 0;  // schedules that were not judged: too many orders were possible
  bool complete = false;          // there were no more schedules to run
};

class crash_campaign {
 public:
  // IMAGE: a file system of FS's type, as it is before any setup. SCHEDULES: which ones of workloads of two tasks are run, without strategies those of
  // bound=1 and then pct=3; when to stop, and whom to tell, OPTIONS say.
  crash_campaign(crashed_file_system fs, std::span<const std::byte> image, crash_options options, explore::explore_options schedules = {});
  ~crash_campaign();
  crash_campaign(const crash_campaign&) = delete;
  crash_campaign& operator=(const crash_campaign&) = delete;

  struct result {
    crash_report report;
    std::vector<int> answers = {};          // of the steps: 0 or an errno
    std::set<ordering_site> waits = {};     // where it waited for the medium
    std::optional<raced_report> race = {};  // of two tasks
  };
  // A setup that fails is a broken report.
  [[nodiscard]] result run(const workload& w);
  // W with fewer calls, by the name NAME, and what became of it: it fails in the same way, as far as the words tell, as W did in FOUND. Nothing where no such
  // workload was found among RUNS of them. Of workloads of two tasks no call is left out.
  struct smaller {
    workload what;
    result found;
  };
  [[nodiscard]] std::optional<smaller> with_fewer_calls(const workload& w, std::string_view name, const crash_report& found,
                                                        std::uint64_t runs = 200);
  // Of the last run or replay, of two tasks of a schedule that failed if one did; none before it.
  [[nodiscard]] const history* recorded() const noexcept;
  // As crash_engine::replay. IMAGE has then what the power left; nothing, if it did not fail.
  [[nodiscard]] std::expected<state_report, std::string> replay(const workload& w, std::string_view token, std::vector<std::byte>& image);

  // Images after setups that are kept at a time; each takes twice its size in memory.
  static constexpr std::size_t kept_images = 24;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace xip::crash
