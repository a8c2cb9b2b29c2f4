#include <xip/crash/campaign.h>

#include <algorithm>
#include <list>
#include <utility>

#include "crash/fewest_steps.h"
#include "crash/raced.h"

namespace xip::crash {
namespace {

struct prepared {
  std::vector<step> setup;
  std::unique_ptr<crash_engine> engine;
};

}  // namespace

struct crash_campaign::impl {
  // The engine on the image after W's setup. The error: why there is none.
  [[nodiscard]] std::expected<crash_engine*, std::string> engine_for(const workload& w) {
    if (const auto known = std::ranges::find(engines, w.setup, &prepared::setup); known != engines.end()) {
      engines.splice(engines.begin(), engines, known);
      return engines.front().engine.get();
    }
    std::vector<std::byte> bytes;
    if (std::string wrong = set_up(fs, w, image, bytes); !wrong.empty()) return std::unexpected{std::move(wrong)};
    if (engines.size() == kept_images) engines.pop_back();
    engines.push_front({w.setup, std::make_unique<crash_engine>(bytes, options)});
    return engines.front().engine.get();
  }

  crashed_file_system fs;
  std::vector<std::byte> image;
  crash_options options;
  explore::explore_options schedules;
  std::list<prepared> engines = {};   // the last one used first
  std::optional<history> raced = {};  // of the last workload, if it had two tasks
};

crash_campaign::crash_campaign(crashed_file_system fs, std::span<const std::byte> image, crash_options options,
                               explore::explore_options schedules)
    : impl_{new impl{std::move(fs), {image.begin(), image.end()}, std::move(options), std::move(schedules)}} {}
crash_campaign::~crash_campaign() = default;

crash_campaign::result crash_campaign::run(const workload& w) {
  const auto engine = impl_->engine_for(w);
  if (!engine) {
    crash_report r;
    r.program = w.name;
    r.unit = impl_->options.unit;
    r.broken = engine.error();
    return {std::move(r)};
  }
  impl_->raced.reset();
  if (tasks_of(w) > 1) {
    raced_workload race{impl_->fs, w, (*engine)->start(), **engine, impl_->schedules};
    result found = race.run();
    impl_->raced = race.shown();
    return found;
  }
  file_system_crash crashed{impl_->fs, w};
  result found{(*engine)->run(crashed.make_program(), crashed)};
  found.answers.assign(crashed.answers().begin(), crashed.answers().end());
  found.waits = crashed.waits();
  return found;
}

std::optional<crash_campaign::smaller> crash_campaign::with_fewer_calls(const workload& w, std::string_view name, const crash_report& found,
                                                                        std::uint64_t runs) {
  if (tasks_of(w) > 1 || found.failures.empty()) return {};
  const std::string kind = kind_of_failure(found.failures.front().first.failure);
  const auto fails = [&](const workload& tried) {
    const auto engine = impl_->engine_for(tried);
    if (!engine) return false;
    crash_options& options = (*engine)->options();
    const std::uint64_t usual = std::exchange(options.minimise_runs, 0);
    const crash_report r = run(tried).report;
    options.minimise_runs = usual;
    return !r.failures.empty() && kind_of_failure(r.failures.front().first.failure) == kind;
  };
  workload least = fewest_steps(w, runs, fails);
  if (least.setup == w.setup && least.steps == w.steps) return {};
  least.name = name;
  result again = run(least);
  if (again.report.failures.empty()) return {};
  return smaller{std::move(least), std::move(again)};
}

const history* crash_campaign::recorded() const noexcept {
  if (impl_->raced) return &*impl_->raced;
  return impl_->engines.empty() ? nullptr : &impl_->engines.front().engine->recorded();
}

std::expected<state_report, std::string> crash_campaign::replay(const workload& w, std::string_view token, std::vector<std::byte>& image) {
  const auto engine = impl_->engine_for(w);
  if (!engine) return std::unexpected{engine.error()};
  impl_->raced.reset();
  if (tasks_of(w) > 1) {
    raced_workload race{impl_->fs, w, (*engine)->start(), **engine, impl_->schedules};
    auto found = race.replay(token);
    impl_->raced = race.shown();
    image.clear();
    if (found && !found->uncrashed) image.assign((*engine)->replayed_image().begin(), (*engine)->replayed_image().end());
    return found;
  }
  file_system_crash crashed{impl_->fs, w};
  auto found = (*engine)->replay(crashed.make_program(), crashed, token);
  if (found) image.assign((*engine)->replayed_image().begin(), (*engine)->replayed_image().end());
  return found;
}

}  // namespace xip::crash
