// A crashed workload as a page for a browser: one file, without anything from elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include <xip/crash/classify.h>
#include <xip/crash/engine.h>
#include <xip/crash/history.h>
#include <xip/crash/workload.h>

namespace xip::crash {

// What was run at one moment.
struct moment_summary {
  std::size_t event = 0;  // the crash is just before this one
  event_kind before = event_kind::end;
  std::uint32_t finished = 0;
  bool in_call = false;          // the next call is in progress
  std::string in_progress = {};  // texts of all that are
  std::size_t lines = 0;
  std::uint64_t states = 0, failed = 0;
};

class moment_recorder {
 public:
  // For crash_options::on_state. Of several histories it keeps the last.
  void on_state(const state_seen& s);
  void clear() noexcept { moments_.clear(); }
  [[nodiscard]] const std::map<std::size_t, moment_summary>& moments() const noexcept { return moments_; }

 private:
  std::map<std::size_t, moment_summary> moments_;  // by number
};

// What lies where on the device; either is empty if nobody knows.
struct device_map {
  classifier classify = {};
  std::function<std::string(std::uint64_t offset)> name_of = {};
};

// COMMAND: how the first failure is repeated; empty: not said.
[[nodiscard]] std::string crash_page(const workload& w, const history& h, const crash_report& r, const moment_recorder& moments,
                                     const device_map& device, const std::string& command);

}  // namespace xip::crash
