// campaign: one exploration, strategy after strategy, within its budget.
#pragma once

#include <xip/explore/explore.h>
#include <xip/explore/token.h>

#include "explore/engine.h"

namespace xip::explore {

// Replays FAILED, which a schedule just did, with its trace recorded when asked for. A replay that goes elsewhere becomes the failure
// non-determinism; T is its token.
[[nodiscard]] schedule_report confirm(engine& runs, outcome failed, const explore_options& options, const fingerprint& print, token t);

class campaign {
 public:
  campaign(engine& runs, const explore_options& options, const fingerprint& print);
  [[nodiscard]] report run();

 private:
  // What a strategy may use of the whole budget.
  struct budget {
    std::uint64_t schedules;  // as report_.schedules counts them
    nanoseconds until;
  };

  void run_stage(const strategy_spec& spec, const budget& limit);
  void run_schedule(strategy& s);
  void pass(strategy& s, const outcome& went);
  void add_failure(strategy& s, const outcome& failed);
  [[nodiscard]] std::vector<strategy_spec> plan() const;
  [[nodiscard]] budget whole() const noexcept;
  [[nodiscard]] budget half_of_rest() const noexcept;
  [[nodiscard]] bool repeat_due() const noexcept;
  [[nodiscard]] bool over(const budget& limit);
  void tell_progress(const std::string& strategy, nanoseconds now);
  void tell_coverage();

  engine& engine_;
  const explore_options& options_;
  const fingerprint& print_;
  report report_;
  nanoseconds started_;
  nanoseconds next_progress_;
  bool watches_clock_;
};

}  // namespace xip::explore
