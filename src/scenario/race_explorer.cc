// Nothing that a schedule changes may lie outside of the arena, the device and the histories. The kernel instance itself is made in the arena,
// and so are the scene and the tasks.
#include "scenario/race_explorer.h"

#include <array>
#include <utility>

#include <fmt/format.h>

namespace xip::scenario {
namespace {

// Beginnings of what those say who judge. An expectation says where it stands in the source instead.
constexpr std::string_view lockdep_says = "lockdep: ", log_says = "error log: ", e2fsck_says = "e2fsck: ";
constexpr std::array<std::string_view, 7> judges{"crash state: ",     lockdep_says,    log_says,           e2fsck_says,
                                                 "block sanitizer: ", "page tables: ", "linearizability: "};

// What BODY throws becomes what the explorer reports.
template <class Body>
void told(Body&& body) {
  try {
    body();
  } catch (const expectation_failed& why) {
    throw explore::failure{text_of_failure(why.why())};
  } catch (const not_run& why) {
    throw explore::failure{std::string{"it cannot be run: "} + why.what()};
  }
}

std::string mount_options(const race_options& o) {
  std::string all{o.mount};
  if (all.find("dax") == std::string::npos) all += all.empty() ? "dax=always" : ",dax=always";
  return all;
}

std::string name_of(const scenario& s, const race_conditions& c) {
  std::string name{s.name};
  if (c.bug != nullptr) name += fmt::format("+{}", c.bug->number);
  return c.check_locks ? name : name + "+unchecked";
}

}  // namespace

std::string_view oracle_of(const explore::schedule_report& failed) {
  const std::string_view first_line = std::string_view{failed.text}.substr(0, failed.text.find('\n'));
  for (const std::string_view judge : judges)
    if (first_line.find(judge) != std::string_view::npos) return judge.substr(0, judge.size() - 2);
  const bool expected = failed.failed == explore::failure_kind::body || failed.failed == explore::failure_kind::check;
  return expected ? "expectation" : explore::failure_name(failed.failed);
}

race_explorer::race_explorer(const scenario& s, const vfs::file_system_type& type, const race_ground& ground,
                             const race_conditions& conditions, explore::explore_options options)
    : what_{s},
      type_{type},
      conditions_{conditions},
      memory_{ground.image_for(s).size()},
      crashes_{crashes_of(s, type, ground)},
      recording_{recording_of()},
      sanitizer_{device()},
      parts_{*s.race},
      histories_{parts_},
      page_tables_{parts_.main, parts_.tasks, sanitizer_},
      judge_{ground.use} {
  static_cast<void>(memory_.write(0, ground.image_for(s)));
  program_.name = name_of(s, conditions);
  program_.state = {&arena_, &memory_, &sanitizer_, &histories_, &page_tables_};
  if (crashes_) program_.state.push_back(&*crashes_);
  program_.setup = [this](explore::scheduler& sched) { told([&] { set_up(sched); }); };
  for (std::size_t i = 0; i < s.race->tasks.size(); ++i)
    program_.tasks.push_back({std::string{s.race->tasks[i]}, [this, i] { told([&] { parts_.run(i); }); }});
  program_.check = [this] { told([&] { check(); }); };
  explorer_ = std::make_unique<explore::explorer>(program_, std::move(options));
}

std::optional<race_crashes> race_explorer::crashes_of(const scenario& s, const vfs::file_system_type& type, const race_ground& ground) {
  if (s.race->recovered == nullptr) return std::nullopt;
  return std::optional<race_crashes>{std::in_place, s, type, mount_options(s.race->options), ground};
}

std::unique_ptr<dev::device> race_explorer::recording_of() { return crashes_ ? dev::make_recording(memory_, crashes_->medium()) : nullptr; }

// The state is that of the end of the setup. Where the setup failed nobody knows what state it is.
race_explorer::~race_explorer() {
  if (!ready_) return;
  page_tables_.stop();
  parts_.end_tasks();
  static_cast<void>(kernel_->umount("/"));
  kernel_->~kernel();
}

vfs::kernel_options race_explorer::options_for(explore::scheduler& sched) {
  vfs::kernel_options o;
  o.memory = &arena_;
  o.log = [&sched](vfs::log_level level, std::string_view text) {
    if (level == vfs::log_level::error) sched.fail(fmt::format("{}{}", log_says, text));
  };
  o.lockdep_report = [&sched](const lockdep_report& report) { sched.fail(report.text); };
  o.sched = &sched;
  o.points = &sched;
  return o;
}

void race_explorer::set_up(explore::scheduler& sched) {
  sanitizer_.report_to(sched);
  kernel_ = new (arena_.allocate(sizeof(vfs::kernel), alignof(vfs::kernel))) vfs::kernel{options_for(sched)};
  program_.deps = &kernel_->deps();
  if (!conditions_.check_locks) kernel_->deps().mute();
  parts_.kernel = kernel_;
  parts_.device = &device();
  parts_.block = page_size;
  if (const auto known = kernel_->register_filesystem(type_); !known) throw explore::failure{"the file system cannot be registered"};
  if (const auto there = kernel_->mount(type_.name, device(), "/", mount_options(what_.race->options)); !there)
    throw explore::failure{fmt::format("the mount failed: {}", there.error().message)};
  const auto main = kernel_->make_task({}, "setup");
  if (!main) throw explore::failure{"no task can be made"};
  parts_.main = *main;
  parts_.set_up(arena_.allocate(what_.race->bytes, what_.race->alignment));
  ready_ = true;
  // What the setup made has arrived. Without that it would be unknown how much of it a crash leaves. What its tasks store then is on its way.
  if (crashes_ && !kernel_->sync()) throw explore::failure{"the setup cannot be made durable"};
  parts_.prepare();
  if (crashes_) watch_power(sched);
  sanitizer_.pass_points_to(&page_tables_);
  page_tables_.watch(sched);
  plant(sched);
}

void race_explorer::watch_power(explore::scheduler& sched) {
  page_tables_.pass_points_to(&*crashes_);
  parts_.power_may_fail = [this] { crashes_->power_may_fail(); };
  crashes_->medium().tell_data(
      [this](std::uint64_t offset) { return sanitizer_.owner_of(pblk_t{offset / page_size}).state == explore::block_state::file; });
  crashes_->watch(sched, *parts_.scene);
}

// Only now: what the setup makes is as the scene says, whatever bug its tasks meet.
void race_explorer::plant(explore::scheduler& sched) {
  if (conditions_.bug == nullptr) return;
#if XIP_EXHIBITS
  sched.exhibits = conditions_.bug->places;
  sched.stand_in = conditions_.bug->stand_in;
#else
  static_cast<void>(sched);
  throw explore::failure{fmt::format("'{}' is not in this build; one with XIP_EXHIBITS (preset debug) has it", conditions_.bug->name)};
#endif
}

// Every schedule ends with an unmounted image that e2fsck has accepted, now or when it saw the same bytes before.
void race_explorer::check() {
  page_tables_.stop();
  if (crashes_)
    if (const std::string wrong = crashes_->judge(); !wrong.empty()) throw explore::failure{wrong};
  parts_.judge();
  parts_.end_tasks();
  if (const auto gone = kernel_->umount("/"); !gone)
    throw explore::failure{fmt::format("the file system cannot be unmounted: {}", text_of(gone.error()))};
  if (const std::string& wrong = judge_.judge(memory_.changes(), memory_); !wrong.empty())
    throw explore::failure{fmt::format("{}the image is damaged: {}", e2fsck_says, wrong)};
}

}  // namespace xip::scenario
