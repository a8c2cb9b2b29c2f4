#include <xip/explore/explore.h>

#include <utility>

#include "explore/campaign.h"
#include "explore/engine.h"
#include "explore/random.h"

namespace xip::explore {
namespace {

engine_settings settings_of(const explore_options& o) { return {o.max_steps, o.stack_bytes, o.switch_at, o.switch_at_acquire}; }

fingerprint fingerprint_of(const program& p, const explore_options& o) {
  std::uint64_t tasks = o.switch_at_acquire;
  for (std::size_t i = 0; i < point_count; ++i) tasks = mix(tasks * 2 + o.switch_at[i]);
  for (const task& t : p.tasks) tasks = mix(tasks ^ hash_text(t.name));
  return {p.name, static_cast<std::uint32_t>(tasks), build_fingerprint()};
}

}  // namespace

struct explorer::impl {
  impl(const program& p, explore_options o) : options{std::move(o)}, print{fingerprint_of(p, options)}, runs{p, settings_of(options)} {
    const outcome& went = runs.set_up();
    set_up = went;
  }

  [[nodiscard]] schedule_report setup_failure() { return confirm(runs, set_up, options, print, {}); }

  // A strategy goes through its schedules up to the one asked for; those that can, begin with it.
  [[nodiscard]] outcome find(const token& t) {
    const auto s = make_strategy(t.spec, t.part, t.number);
    while (s->begin()) {
      const outcome& went = runs.run(*s, false);
      s->end();
      if (s->number() == t.number) return went;
    }
    return {};
  }

  explore_options options;
  fingerprint print;
  engine runs;
  outcome set_up;
};

explorer::explorer(const program& p, explore_options options) : impl_{std::make_unique<impl>(p, std::move(options))} {}

explorer::~explorer() = default;

report explorer::run() {
  if (impl_->set_up.failed == failure_kind::none) return campaign{impl_->runs, impl_->options, impl_->print}.run();
  report r;
  r.program = impl_->print.program;
  r.failed_schedules = 1;
  found_failure found;
  found.strategy = "setup";
  found.first = found.minimised = impl_->setup_failure();
  r.failures.push_back(std::move(found));
  return r;
}

std::expected<schedule_report, std::string> explorer::replay(std::string_view text) {
  std::expected<token, std::string> t = parse_token(text, impl_->print);
  if (!t) return std::unexpected{std::move(t.error())};
  if (impl_->set_up.failed != failure_kind::none) return impl_->setup_failure();
  outcome wanted;
  if (t->by_strategy) {
    wanted = impl_->find(*t);
  } else {
    const auto s = make_replay(t->deviations);
    static_cast<void>(s->begin());
    wanted = impl_->runs.run(*s, false);
    s->end();
    if (s->diverged() && wanted.failed == failure_kind::none) {
      wanted.failed = failure_kind::nondeterminism;
      wanted.text = "the token's choices were not offered";
    }
  }
  schedule_report r = confirm(impl_->runs, std::move(wanted), impl_->options, impl_->print, {});
  r.token = text;
  impl_->runs.restore();
  return r;
}

schedule_report explorer::usual() {
  if (impl_->set_up.failed != failure_kind::none) return impl_->setup_failure();
  const auto s = make_replay({});
  static_cast<void>(s->begin());
  outcome went = impl_->runs.run(*s, false);
  s->end();
  schedule_report r = confirm(impl_->runs, std::move(went), impl_->options, impl_->print, {});
  impl_->runs.restore();
  return r;
}

report explore(const program& p, explore_options options) { return explorer{p, std::move(options)}.run(); }

std::expected<schedule_report, std::string> replay(const program& p, std::string_view token, explore_options options) {
  return explorer{p, std::move(options)}.replay(token);
}

}  // namespace xip::explore
