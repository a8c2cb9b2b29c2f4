#include "exhibits/crash_show.h"

#include <utility>

#include <fmt/format.h>

#include <xip/crash/campaign.h>

namespace xip::exhibits {
namespace {

constexpr std::uint64_t states_of_a_moment = 500, schedules_of_two_tasks = 2000;

// Who saw that FAILURE: the mount or the log of the file system, e2fsck, or the oracle.
std::string_view judge_of(std::string_view failure) noexcept {
  if (failure.starts_with("the mount failed")) return "mount";
  if (failure.find("e2fsck") != failure.npos) return "e2fsck";
  return failure.starts_with("afterwards") ? "probe" : "durability";
}

}  // namespace

std::string crash_show::prepare() {
  if (!image_.empty()) return {};
  auto made = scenario::make_crash_image(use_, nullptr);
  if (!made) return made.error();
  auto judge = scenario::crash_judge::make(use_);
  if (!judge) return judge.error();
  image_ = *std::move(made);
  judge_.emplace(*std::move(judge));
  return {};
}

showing crash_show::show(const exhibit& e, bool planted, const std::atomic<bool>* stop) {
  showing s;
  const auto cannot = [&s](std::string why) {
    s.found = true;
    s.text = std::move(why);
    return std::move(s);
  };
  if (std::string wrong = prepare(); !wrong.empty()) return cannot(std::move(wrong));
  auto w = crash::parse_workload(planted ? fmt::format("exhibit+{}", e.bug.number) : "exhibit", e.bug.workload);
  if (!w) return cannot(w.error());
  crash::crashed_file_system fs{.type = type_, .mount_options = "dax=always"};
  fs.check = [this](std::span<const std::byte> image) { return judge_->judge(image); };
  fs.check_every = 1;
  if (planted) fs.exhibits = e.bug.places, fs.stand_in = e.bug.stand_in;
  crash::crash_options o;
  o.max_states = states_of_a_moment;
  o.stop = stop;
  explore::explore_options schedules;
  schedules.max_schedules = schedules_of_two_tasks;
  const crash::crash_report r = crash::crash_campaign{std::move(fs), image_, std::move(o), std::move(schedules)}.run(*w).report;
  s.needed = r.states;
  s.complete = !r.stopped;
  if (r.passed()) return s;
  if (!r.broken.empty()) {
    s.judged = r.broken.find("without a crash") != r.broken.npos;  // the bug shows before the power fails
    s.judge = s.judged ? "contents" : "";
    return cannot(r.broken);
  }
  const crash::state_report& smallest = r.failures.front().minimised;
  s.found = s.judged = true;
  s.text = smallest.failure;
  s.token = smallest.token;
  s.judge = judge_of(smallest.failure);
  return s;
}

}  // namespace xip::exhibits
