#include "scenario/race_crashes.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <xip/dev/devices.h>

#include "explore/random.h"
#include "scenario/fixture.h"
#include "scenario/race_parts.h"

namespace xip::scenario {

race_crashes::race_crashes(const scenario& what, const vfs::file_system_type& type, std::string mount_options, const race_ground& ground)
    : plan_{*what.race},
      type_{type},
      mount_options_{std::move(mount_options)},
      ground_{ground},
      medium_{ground.image_for(what).size()},
      committing_{explore::max_tasks} {
  medium_.on_write(0, ground.image_for(what));
  medium_.on_power_point([this](bool flush) {
    const bool own = flush && scheduler_->running_task() == committing_;
    if (own || committing_ == explore::max_tasks) take();
    if (flush && !own && committing_ != explore::max_tasks) torn_ = torn_ || medium_.metadata_pending();
  });
}

void race_crashes::watch(explore::scheduler& sched, const race& scene) {
  scheduler_ = &sched;
  scene_ = reinterpret_cast<const std::byte*>(&scene);
  watching_ = true;
  medium_.report_to(sched);
}

void race_crashes::power_may_fail() {
  if (committing_ == explore::max_tasks) take();
}

void race_crashes::on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept {
  if (p == point::ext4_commit_start) {
    committing_ = scheduler_->running_task();
    torn_ = false;
  } else if (p == point::ext4_commit_done) {
    committing_ = explore::max_tasks;
    torn_ = false;
  }
}

void race_crashes::take() {
  if (!watching_) return;
  for (const crash::arrival a : crash::all_arrivals)
    if (!torn_ || a != crash::arrival::nothing) take(a);
}

void race_crashes::take(crash::arrival what) {
  const std::uint64_t key = explore::mix(medium_.identity(what)) ^ explore::hash_bytes(scene_, plan_.bytes);
  if (known_.contains(key) || std::ranges::any_of(taken_, [key](const state& s) { return s.key == key; })) return;
  taken_.push_back({key, scheduler_->step(), what, medium_.image(what), {scene_, scene_ + plan_.bytes}});
}

std::string race_crashes::judge() {
  watching_ = false;
  for (const state& s : taken_) {
    if (std::string wrong = examine(s); !wrong.empty())
      return fmt::format("crash state: power fails at step {}, and of what was on its way {} arrives: {}", s.step, arrival_name(s.what),
                         wrong);
    known_.insert(s.key);
  }
  taken_.clear();
  return {};
}

std::string race_crashes::examine(const state& s) const {
  auto medium = dev::open_memory(s.image.size());
  if (!medium) return medium.error().message;
  if (!(*medium)->write(0, s.image)) return "the image cannot be copied";
  if (std::string wrong = recover(s, **medium); !wrong.empty()) return wrong;
  const auto clean = check_image(ground_.use, tool_path(device_kind::memory, **medium, {}));
  return clean ? "" : "e2fsck after the mount: " + clean.error();
}

// The scene as it was at that moment, its tasks gone with the machine.
std::string race_crashes::recover(const state& s, dev::device& medium) const {
  std::string wrong;
  vfs::kernel_options o;
  o.log = [&wrong](vfs::log_level level, std::string_view text) {
    if (level == vfs::log_level::error && wrong.empty()) wrong = "the log says: " + std::string{text};
  };
  o.lockdep_report = [&wrong](const lockdep_report& report) { wrong = report.text; };
  vfs::kernel machine{std::move(o)};
  if (!machine.register_filesystem(type_)) return "the file system cannot be registered";
  if (const auto there = machine.mount(type_.name, medium, "/", mount_options_); !there)
    return "the mount failed: " + there.error().message;
  const auto me = machine.make_task({}, "afterwards");
  if (!me) return "no task can be made";
  const scene_memory memory{plan_};
  race& scene = plan_.make(memory.at);
  std::memcpy(memory.at, s.scene.data(), plan_.bytes);
  try {
    plan_.recovered(scene, **me);
  } catch (const expectation_failed& why) {
    wrong = text_of_failure(why.why());
  } catch (const std::exception& why) {
    wrong = why.what();
  }
  machine.exit_task(*me);
  if (const auto gone = machine.umount("/"); !gone && wrong.empty())
    wrong = fmt::format("the file system cannot be unmounted: {}", text_of(gone.error()));
  return wrong;
}

result<> race_crashes::save() { return medium_.save(); }

void race_crashes::restore() noexcept {
  medium_.restore();
  watching_ = true;
  committing_ = explore::max_tasks;
  torn_ = false;
  taken_.clear();
}

}  // namespace xip::scenario
