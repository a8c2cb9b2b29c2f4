// A race under the explorer: its kernel instance lives in an arena, its device below it, and both go back before each schedule.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <xip/explore/block_sanitizer.h>
#include <xip/explore/explore.h>
#include <xip/explore/snapshot_arena.h>
#include <xip/explore/snapshot_device.h>

#include "scenario/race_image.h"
#include "scenario/race_parts.h"

namespace xip::scenario {

class race_explorer {
 public:
  // S has a race. IMAGE and USE must outlive it. OPTIONS: of the exploration.
  race_explorer(const scenario& s, const vfs::file_system_type& type, std::span<const std::byte> image, const tools& use,
                explore::explore_options options);
  ~race_explorer();
  race_explorer(const race_explorer&) = delete;
  race_explorer& operator=(const race_explorer&) = delete;

  [[nodiscard]] explore::report run() { return explorer_->run(); }
  [[nodiscard]] std::expected<explore::schedule_report, std::string> replay(std::string_view token) { return explorer_->replay(token); }
  [[nodiscard]] explore::schedule_report usual() { return explorer_->usual(); }
  // How many different images the schedules have left, each of which e2fsck has seen.
  [[nodiscard]] std::size_t images() const noexcept { return judge_.images(); }
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

  void set_up(explore::scheduler& sched);
  void check();
  [[nodiscard]] vfs::kernel_options options_for(explore::scheduler& sched);

  const scenario& what_;
  const vfs::file_system_type& type_;
  explore::snapshot_arena arena_;
  explore::snapshot_device device_{race_image_bytes};
  explore::block_sanitizer sanitizer_{device_};
  race_parts parts_;
  histories histories_;
  image_judge judge_;
  explore::program program_;
  vfs::kernel* kernel_ = nullptr;  // in the arena
  bool ready_ = false;             // the setup came to its end
  std::unique_ptr<explore::explorer> explorer_;
};

}  // namespace xip::scenario
