// Workloads crashed one after the other. Those with the same setup begin on one image, which is made once.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xip/crash/engine.h>
#include <xip/crash/file_system.h>
#include <xip/crash/workload.h>

namespace xip::crash {

class crash_campaign {
 public:
  // IMAGE: a file system of FS's type, as it is before any setup.
  crash_campaign(crashed_file_system fs, std::span<const std::byte> image, crash_options options);
  ~crash_campaign();
  crash_campaign(const crash_campaign&) = delete;
  crash_campaign& operator=(const crash_campaign&) = delete;

  struct result {
    crash_report report;
    std::vector<int> answers = {};       // of the steps: 0 or an errno
    std::set<ordering_site> waits = {};  // where it waited for the medium
  };
  // A setup that fails is a broken report.
  [[nodiscard]] result run(const workload& w);
  // Of the last run or replay; none before it.
  [[nodiscard]] const history* recorded() const noexcept;
  // As crash_engine::replay. IMAGE has then what the power left.
  [[nodiscard]] std::expected<state_report, std::string> replay(const workload& w, std::string_view token, std::vector<std::byte>& image);

  // Images after setups that are kept at a time; each takes twice its size in memory.
  static constexpr std::size_t kept_images = 24;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace xip::crash
