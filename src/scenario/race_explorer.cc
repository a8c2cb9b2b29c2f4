// Nothing that a schedule changes may lie outside of the arena, the device and the histories. The kernel instance itself is made in the arena,
// and so are the scene and the tasks.
#include "scenario/race_explorer.h"

#include <utility>

#include <fmt/format.h>

namespace xip::scenario {
namespace {

std::string text_of_failure(const failure& f) {
  std::string text = f.where.empty() ? f.what : f.where + ": " + f.what;
  if (!f.expected.empty()) text += "\nexpected: " + f.expected;
  if (!f.found.empty()) text += "\nfound:    " + f.found;
  return text;
}

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

}  // namespace

race_explorer::race_explorer(const scenario& s, const vfs::file_system_type& type, std::span<const std::byte> image, const tools& use,
                             explore::explore_options options)
    : what_{s}, type_{type}, parts_{*s.race}, histories_{parts_}, judge_{use} {
  static_cast<void>(device_.write(0, image));
  program_.name = std::string{s.name};
  program_.state = {&arena_, &device_, &sanitizer_, &histories_};
  program_.setup = [this](explore::scheduler& sched) { told([&] { set_up(sched); }); };
  for (std::size_t i = 0; i < s.race->tasks.size(); ++i)
    program_.tasks.push_back({std::string{s.race->tasks[i]}, [this, i] { told([&] { parts_.run(i); }); }});
  program_.check = [this] { told([&] { check(); }); };
  explorer_ = std::make_unique<explore::explorer>(program_, std::move(options));
}

// The state is that of the end of the setup. Where the setup failed nobody knows what state it is.
race_explorer::~race_explorer() {
  if (!ready_) return;
  parts_.end_tasks();
  static_cast<void>(kernel_->umount("/"));
  kernel_->~kernel();
}

vfs::kernel_options race_explorer::options_for(explore::scheduler& sched) {
  vfs::kernel_options o;
  o.memory = &arena_;
  o.log = [&sched](vfs::log_level level, std::string_view text) {
    if (level == vfs::log_level::error) sched.fail(fmt::format("the file system logged an error: {}", text));
  };
  o.lockdep_report = [&sched](const lockdep_report& report) { sched.fail("lockdep reports: " + report.text); };
  o.sched = &sched;
  o.points = &sched;
  return o;
}

void race_explorer::set_up(explore::scheduler& sched) {
  sanitizer_.report_to(sched);
  kernel_ = new (arena_.allocate(sizeof(vfs::kernel), alignof(vfs::kernel))) vfs::kernel{options_for(sched)};
  program_.deps = &kernel_->deps();
  parts_.kernel = kernel_;
  parts_.device = &device_;
  parts_.block = page_size;
  if (const auto known = kernel_->register_filesystem(type_); !known) throw explore::failure{"the file system cannot be registered"};
  if (const auto there = kernel_->mount(type_.name, device_, "/", mount_options(what_.race->options)); !there)
    throw explore::failure{fmt::format("the mount failed: {}", there.error().message)};
  const auto main = kernel_->make_task({}, "setup");
  if (!main) throw explore::failure{"no task can be made"};
  parts_.main = *main;
  parts_.set_up(arena_.allocate(what_.race->bytes, what_.race->alignment));
  ready_ = true;
}

// Every schedule ends with an unmounted image that e2fsck has accepted, now or when it saw the same bytes before.
void race_explorer::check() {
  parts_.judge();
  parts_.end_tasks();
  if (const auto gone = kernel_->umount("/"); !gone)
    throw explore::failure{fmt::format("the file system cannot be unmounted: {}", text_of(gone.error()))};
  if (const std::string& wrong = judge_.judge(device_.changes(), device_); !wrong.empty())
    throw explore::failure{"the image is damaged: " + wrong};
}

}  // namespace xip::scenario
