// Losses of power in the schedules of a race: each state that a medium would have been found in is mounted, and the scene asked about it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include <xip/scenario/race.h>

#include "crash/medium_model.h"
#include "scenario/race_image.h"

namespace xip::scenario {

// States are taken while tasks run and judged when they have ended. The same one, with the same scene, is judged once in all schedules.
//
// Without a journal, a write-back of metadata that is cut short leaves what only e2fsck can put right. So nothing is taken between the first block of
// one and its flush, but at its own flushes.
class race_crashes final : public point_sink, public explore::resettable {
 public:
  race_crashes(const scenario& what, const vfs::file_system_type& type, std::string mount_options, const race_ground& ground);

  [[nodiscard]] crash::medium_model& medium() noexcept { return medium_; }
  // At the end of a setup: SCENE is what is asked. Points come from now on.
  void watch(explore::scheduler& sched, const race& scene);
  // The power may fail now.
  void power_may_fail();
  // After the tasks: nothing is taken any more. What is wrong with a state taken in this schedule; empty: nothing.
  [[nodiscard]] std::string judge();
  [[nodiscard]] std::size_t states() const noexcept { return known_.size(); }

  void on_point(point p, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept override;
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }

  [[nodiscard]] result<> save() override;
  void restore() noexcept override;

 private:
  struct state {
    std::uint64_t key;
    std::uint64_t step;
    crash::arrival what;
    std::vector<std::byte> image;
    std::vector<std::byte> scene;
  };

  void take();
  void take(crash::arrival what);
  [[nodiscard]] std::string examine(const state& s) const;
  [[nodiscard]] std::string recover(const state& s, dev::device& medium) const;

  const race_plan& plan_;
  const vfs::file_system_type& type_;
  const std::string mount_options_;
  const race_ground& ground_;
  crash::medium_model medium_;
  explore::scheduler* scheduler_ = nullptr;
  const std::byte* scene_ = nullptr;  // plan_.bytes of it
  bool watching_ = false;
  std::uint32_t committing_;  // the task that does; one past the last: nobody
  bool torn_ = false;         // a part of the metadata under way has arrived, by somebody else's flush
  std::vector<state> taken_;
  std::unordered_set<std::uint64_t> known_;  // judged, and found right
};

}  // namespace xip::scenario
