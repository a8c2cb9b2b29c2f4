// A race under the explorer: its kernel instance lives in an arena, its device below it, and both go back before each schedule.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <xip/explore/block_sanitizer.h>
#include <xip/explore/explore.h>
#include <xip/explore/snapshot_arena.h>
#include <xip/explore/snapshot_device.h>
#include <xip/scenario/planted_bug.h>

#include "scenario/page_tables.h"
#include "scenario/race_crashes.h"
#include "scenario/race_image.h"
#include "scenario/race_parts.h"

namespace xip::scenario {

// What the tasks of a race run with.
struct race_conditions {
  const planted_bug* bug = nullptr;  // in them and in the check, not in the setup; null: none
  bool check_locks = true;           // false: what lockdep reports fails nothing
};

// Who found out that a schedule fails: "lockdep", "block sanitizer", "page tables", "linearizability", "e2fsck", "error log", "crash state", "expectation", or what kind of
// failure it is where nobody had to look ("deadlock").
[[nodiscard]] std::string_view oracle_of(const explore::schedule_report& failed);

class race_explorer {
 public:
  // S has a race. GROUND and the bug must outlive it. OPTIONS: of the exploration. A token of one bug is refused with any other, or with none.
  race_explorer(const scenario& s, const vfs::file_system_type& type, const race_ground& ground, const race_conditions& conditions,
                explore::explore_options options);
  ~race_explorer();
  race_explorer(const race_explorer&) = delete;
  race_explorer& operator=(const race_explorer&) = delete;

  [[nodiscard]] explore::report run() { return explorer_->run(); }
  [[nodiscard]] std::expected<explore::schedule_report, std::string> replay(std::string_view token) { return explorer_->replay(token); }
  [[nodiscard]] explore::schedule_report usual() { return explorer_->usual(); }
  // How many different images the schedules have left, each of which e2fsck has seen.
  [[nodiscard]] std::size_t images() const noexcept { return judge_.images(); }
  // Different states that a loss of power left, each of which was mounted and judged.
  [[nodiscard]] std::size_t crash_states() const noexcept { return crashes_ ? crashes_->states() : 0; }
  [[nodiscard]] std::size_t state_bytes() const noexcept { return arena_.used(); }  // of the kernel instance

 private:
  // What was recorded of files goes back to what the setup did.
  class histories final : public explore::resettable {
   public:
    explicit histories(race_parts& parts) noexcept : parts_{parts} {}
    [[nodiscard]] result<> save() override { return {}; }
    void restore() noexcept override {
      for (explore::file_history& h : parts_.histories) h.restore();
    }

   private:
    race_parts& parts_;
  };

  [[nodiscard]] static std::optional<race_crashes> crashes_of(const scenario& s, const vfs::file_system_type& type,
                                                              const race_ground& ground);
  [[nodiscard]] std::unique_ptr<dev::device> recording_of();
  [[nodiscard]] dev::device& device() noexcept { return recording_ ? *recording_ : memory_; }
  void set_up(explore::scheduler& sched);
  void watch_power(explore::scheduler& sched);
  void plant(explore::scheduler& sched);
  void check();
  [[nodiscard]] vfs::kernel_options options_for(explore::scheduler& sched);

  const scenario& what_;
  const vfs::file_system_type& type_;
  const race_conditions conditions_;
  explore::snapshot_arena arena_;
  explore::snapshot_device memory_;
  std::optional<race_crashes> crashes_;     // of a race that says what a crash may leave
  std::unique_ptr<dev::device> recording_;  // memory_ with crashes_ listening, where there are any
  explore::block_sanitizer sanitizer_;
  race_parts parts_;
  histories histories_;
  page_table_checker page_tables_;
  image_judge judge_;
  explore::program program_;
  vfs::kernel* kernel_ = nullptr;  // in the arena
  bool ready_ = false;             // the setup came to its end
  std::unique_ptr<explore::explorer> explorer_;
};

}  // namespace xip::scenario
