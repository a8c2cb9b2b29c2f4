// raced: a workload of several tasks, in many schedules, each of them crashed.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <xip/crash/campaign.h>
#include <xip/explore/explore.h>

#include "crash/raced_machine.h"
#include "crash/raced_subject.h"

namespace xip::crash {

class raced_workload {
 public:
  // ENGINE has the image START, on which the calls begin, and is not used by anybody else meanwhile.
  raced_workload(const crashed_file_system& fs, const workload& w, std::span<const std::byte> start, crash_engine& engine,
                 const explore::explore_options& schedules);

  [[nodiscard]] crash_campaign::result run();
  [[nodiscard]] std::expected<state_report, std::string> replay(std::string_view token);
  // Of the last schedule that failed or was replayed, else of the first one.
  [[nodiscard]] const history& shown() const noexcept { return shown_; }

 private:
  [[nodiscard]] explore::explore_options options_for(explore::explore_options o);
  void check();
  void judge(const tree& live);
  void search();
  void report();
  void replay_state();
  [[nodiscard]] std::uint64_t identity(const tree& live) const;
  [[nodiscard]] crash_progress progress(const crash_progress& of_run) const;
  void add(const crash_report& r);
  [[nodiscard]] found_failure describe(const explore::schedule_report& s);
  void put_into_words(state_report& state, const explore::schedule_report& s) const;
  [[nodiscard]] std::string moment_of(const state_report& state) const;
  [[nodiscard]] std::vector<std::string> turns_of(const explore::schedule_report& s) const;
  [[nodiscard]] std::string call_at(std::uint32_t task, std::uint64_t step) const;

  // What a schedule is run for.
  enum class purpose : std::uint8_t { search, report, replay };

  const workload& work_;
  crash_engine& engine_;
  raced_subject subject_;
  raced_machine machine_;
  explore::program program_;
  purpose purpose_ = purpose::search;
  std::string_view wanted_;                                        // the state to replay
  std::optional<std::expected<state_report, std::string>> again_;  // what became of that
  crash_report report_;
  raced_report race_;
  std::vector<int> answers_;                  // of the steps, in the first schedule
  std::optional<found_failure> found_;        // in the schedule that is reported
  std::unordered_set<std::uint64_t> passed_;  // identities of schedules
  history shown_;
  std::optional<explore::explorer> explorer_;
};

}  // namespace xip::crash
