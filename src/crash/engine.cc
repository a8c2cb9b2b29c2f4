#include <xip/crash/engine.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include <xip/locks/clock.h>

#include "crash/examiner.h"
#include "crash/image.h"
#include "crash/lines.h"
#include "crash/minimise.h"
#include "crash/search.h"
#include "crash/space.h"
#include "crash/token.h"
#include "crash/walk.h"
#include "explore/random.h"

namespace xip::crash {
namespace {

constexpr std::uint32_t atomic_units[] = {8, 64, 512, 4096};

// One history crashed: what is kept from state to state.
class campaign {
 public:
  campaign(std::string_view name, const history& h, image& bytes, lined_image& lines, const crash_options& options, subject& s,
           read_memory& memory, std::unordered_set<std::uint64_t>& passed)
      : name_{name},
        history_{h},
        image_{bytes},
        lines_{lines},
        options_{options},
        subject_{s},
        passed_{passed},
        owner_{name, h.shape(), options.unit},
        walk_{h, lines},
        space_{lines},
        examiner_{bytes, lines, options, s, memory},
        started_{monotonic_now()},
        next_progress_{started_ + options.progress_every} {
    report_.program = name;
    report_.unit = options.unit;
  }

  [[nodiscard]] crash_report run();
  [[nodiscard]] std::expected<state_report, std::string> replay(std::string_view token, std::vector<std::byte>& image_to);

 private:
  [[nodiscard]] bool next_moment();
  [[nodiscard]] std::uint64_t moment_key();
  void look_at_moment();
  void run_moment();
  void run_reduced();
  void run_search(state_search& search);
  void add_cut(std::uint64_t states_before, std::uint64_t patterns_left);
  void add_failure(const arrivals& state, const std::string& failure);
  [[nodiscard]] state_report describe(const arrivals& state, const examiner::verdict& v) const;
  [[nodiscard]] flying_line describe_line(std::uint32_t place, std::uint32_t arrived) const;
  [[nodiscard]] bool over();
  void tell_progress(nanoseconds now);

  std::string name_;
  const history& history_;
  image& image_;
  lined_image& lines_;
  const crash_options& options_;
  subject& subject_;
  std::unordered_set<std::uint64_t>& passed_;  // keys of moments
  token_owner owner_;
  medium_walk walk_;
  state_space space_;
  examiner examiner_;
  nanoseconds started_, next_progress_;
  crash_report report_;
};

// Lines that are still in flight get their contents with each state; the others what has surely arrived.
bool campaign::next_moment() {
  if (!walk_.next()) return false;
  for (const std::uint32_t line : walk_.settled()) lines_.set(line, walk_.surely(line));
  return true;
}

crash_report campaign::run() {
  while (!over() && next_moment()) {
    if (walk_.at().point % options_.part.count == options_.part.index) look_at_moment();
  }
  report_.unique_images = examiner_.images();
  report_.recoveries = examiner_.recoveries();
  report_.meanings = examiner_.meanings();
  if (!examiner_.broken().empty()) report_.broken = examiner_.broken();
  report_.seconds = std::chrono::duration<double>(monotonic_now() - started_).count();
  report_.subject_seconds = std::chrono::duration<double>(examiner_.subject_time()).count();
  return std::move(report_);
}

// Of the states that there are here, and what is asked of them. Zero: of nothing that could come again.
std::uint64_t campaign::moment_key() {
  const std::uint64_t question = subject_.question(walk_.at());
  if (question == 0) return 0;
  std::uint64_t surely = lines_.hash(), sum = explore::mix(question);
  for (const std::uint32_t line : walk_.in_flight()) {
    surely += lines_.hash_after(line, walk_.surely(line)) - lines_.hash_after(line, lines_.arrived(line));
    sum = explore::mix(sum ^ explore::mix(lines_.lines()[line].offset + 1));
    for (std::uint32_t n = walk_.surely(line); n < walk_.made(line); ++n) sum = explore::mix(sum ^ lines_.hash_after(line, n + 1));
  }
  return explore::mix(sum ^ surely);
}

void campaign::look_at_moment() {
  ++report_.points;
  const std::uint64_t key = moment_key(), failing = report_.failing_states, states = report_.states;
  if (key != 0 && passed_.contains(key)) {
    ++report_.repeated_points;
    return;
  }
  run_moment();
  const bool passes = report_.states != states && report_.failing_states == failing && !report_.stopped && report_.broken.empty();
  if (key != 0 && passes) passed_.insert(key);
}

void campaign::run_moment() {
  space_.build(walk_, options_.classify);
  report_.max_lines = std::max(report_.max_lines, space_.lines().size());
  report_.log2_states = std::max(report_.log2_states, space_.log2_states());
  if (options_.max_lines != 0 && space_.lines().size() > options_.max_lines) return add_cut(report_.states, 0);
  if (!options_.exhaustive) return run_reduced();
  const std::uint64_t before = report_.states;
  every_state search{space_, options_.max_states};
  run_search(search);
  if (!search.complete() && !report_.stopped) add_cut(before, 0);
}

void campaign::run_reduced() {
  const std::uint64_t before = report_.states;
  read_tree tree{space_, options_.max_states};
  run_search(tree);
  if (tree.diverged() && report_.broken.empty()) report_.broken = "a recovery did not read again what it had read from the same bytes";
  if (report_.stopped || tree.diverged()) return;
  if (tree.complete()) {
    if (space_.coarse()) add_cut(before, 0);
    return;
  }
  likely_states likely{space_, options_.max_states, options_.samples, {options_.seed, walk_.at().point}};
  run_search(likely);
  if (!report_.stopped) add_cut(before, likely.patterns_left());
}

void campaign::run_search(state_search& search) {
  arrivals state;
  while (!over() && search.next(state)) {
    const examiner::verdict v = examiner_.run(space_, state, walk_);
    search.ran(v.reads);
    ++report_.states;
    if (!v.failure.empty()) ++report_.failing_states;
    if (options_.on_state) options_.on_state({walk_.at(), space_.lines().size(), v.meaning, v.failure});
    if (!v.failure.empty()) add_failure(state, v.failure);
  }
}

void campaign::add_cut(std::uint64_t states_before, std::uint64_t patterns_left) {
  report_.cut.push_back({.point = walk_.at().point,
                         .lines = space_.lines().size(),
                         .log2_states = space_.log2_states(),
                         .states = report_.states - states_before,
                         .patterns_left = patterns_left,
                         .grouped = space_.coarse()});
}

void campaign::add_failure(const arrivals& state, const std::string& failure) {
  if (std::ranges::any_of(report_.failures, [&](const found_failure& f) { return f.first.failure == failure; })) return;
  found_failure found;
  found.first = describe(state, examiner_.run(space_, state, walk_));
  const arrivals smaller = minimise(space_, state, options_.minimise_runs,
                                    [this](const arrivals& tried) { return !examiner_.run(space_, tried, walk_).failure.empty(); });
  found.minimised = describe(smaller, examiner_.run(space_, smaller, walk_));
  report_.failures.push_back(std::move(found));
}

state_report campaign::describe(const arrivals& state, const examiner::verdict& v) const {
  const position& at = walk_.at();
  state_report r{.failure = v.failure,
                 .meaning = v.meaning,
                 .token = format_token(owner_, walk_, space_, state),
                 .point = at.point,
                 .event = at.event,
                 .before = at.before,
                 .finished = at.finished};
  for (const std::uint32_t slot : at.in_progress) r.in_progress.push_back(at.operations[slot].text);
  for (std::uint32_t place = 0; place < state.size(); ++place) {
    r.lines.push_back(describe_line(place, state[place]));
    r.arrived += state[place] != space_.surely(place);
    r.missing += state[place] != space_.made(place);
  }
  return r;
}

flying_line campaign::describe_line(std::uint32_t place, std::uint32_t arrived) const {
  const line& l = lines_.lines()[space_.lines()[place]];
  flying_line f{.offset = l.offset, .bytes = l.bytes, .kind = space_.kind(place), .name = {}, .stores = {}};
  if (options_.name_of) f.name = options_.name_of(l.offset);
  for (std::uint32_t n = space_.surely(place); n < space_.made(place); ++n) {
    const line_store& s = space_.store(place, n);
    const event& e = history_.events()[s.event];
    f.stores.push_back({e.kind, e.task, e.operation, s.event, s.offset, s.bytes, n < arrived});
  }
  return f;
}

bool campaign::over() {
  if (!report_.stopped) {
    const nanoseconds now = monotonic_now();
    tell_progress(now);
    report_.stopped = report_.failures.size() >= options_.max_failures || !examiner_.broken().empty() ||
                      (options_.max_time.count() != 0 && now - started_ >= options_.max_time) ||
                      (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed));
  }
  return report_.stopped;
}

void campaign::tell_progress(nanoseconds now) {
  if (!options_.on_progress || now < next_progress_) return;
  next_progress_ = now + options_.progress_every;
  options_.on_progress({report_.points, report_.states, examiner_.images(), examiner_.meanings(), report_.failing_states});
}

std::expected<state_report, std::string> campaign::replay(std::string_view token, std::vector<std::byte>& image_to) {
  const auto named = parse_token(token, owner_);
  if (!named) return std::unexpected{named.error()};
  while (next_moment()) {
    if (walk_.at().point != named->point) continue;
    space_.build(walk_, options_.classify);
    arrivals state;
    if (!state_of(*named, walk_, space_, state)) break;
    const examiner::verdict v = examiner_.run(space_, state, walk_);
    image_to.assign(image_.bytes().begin(), image_.bytes().end());
    return describe(state, v);
  }
  return std::unexpected{fmt::format("the token names a state that '{}' does not have", name_)};
}

}  // namespace

struct crash_engine::impl {
  impl(std::span<const std::byte> start, crash_options o) : options{std::move(o)}, crashed{start.size()}, disk{start.size()} {
    std::ranges::copy(start, crashed.data());
    std::ranges::copy(start, disk.data());
  }

  // Empty: RECORDED has what it did.
  [[nodiscard]] std::string record(const program& p) {
    recorded.clear();
    image_device below{disk, options.windows, nullptr};
    const auto device = dev::make_recording(below, recorded);
    std::string failure;
    try {
      p.run(*device, recorded);
    } catch (const std::exception& e) {
      failure = fmt::format("the program failed: {}", e.what());
    }
    disk.undo();
    return failure;
  }
  [[nodiscard]] crash_report broken(std::string_view name, std::string why) const {
    crash_report r;
    r.program = name;
    r.unit = options.unit;
    r.broken = std::move(why);
    return r;
  }
  // Empty: H can be crashed.
  [[nodiscard]] std::string check(const history& h) const {
    if (std::ranges::find(atomic_units, options.unit) == std::end(atomic_units))
      return fmt::format("the atomic unit is 8, 64, 512 or 4096 bytes, not {}", options.unit);
    for (const event& e : h.events())
      if (e.offset > crashed.size() || e.bytes > crashed.size() - e.offset) return "the history is of a larger device";
    return {};
  }
  template <class Do>
  auto with_lines(const history& h, subject& s, std::string_view name, Do&& what) {
    lines.load(h, options.unit);
    auto answer = what(campaign{name, h, crashed, lines, options, s, memory, passed});
    lines.unload();
    return answer;
  }

  crash_options options;
  image crashed;
  image disk;
  lined_image lines{crashed};
  history recorded;
  std::vector<std::byte> replayed;
  read_memory memory;
  std::unordered_set<std::uint64_t> passed;
};

crash_engine::crash_engine(std::span<const std::byte> image, crash_options options)
    : impl_{std::make_unique<impl>(image, std::move(options))} {}
crash_engine::~crash_engine() = default;

crash_options& crash_engine::options() noexcept { return impl_->options; }
std::span<const std::byte> crash_engine::start() const noexcept { return impl_->disk.bytes(); }
const history& crash_engine::recorded() const noexcept { return impl_->recorded; }
std::span<const std::byte> crash_engine::replayed_image() const noexcept { return impl_->replayed; }

crash_report crash_engine::run(const program& p, subject& s) {
  if (std::string failure = impl_->record(p); !failure.empty()) return impl_->broken(p.name, std::move(failure));
  return run(p.name, impl_->recorded, s);
}

crash_report crash_engine::run(std::string_view name, const history& h, subject& s) {
  if (std::string failure = impl_->check(h); !failure.empty()) return impl_->broken(name, std::move(failure));
  return impl_->with_lines(h, s, name, [](campaign c) { return c.run(); });
}

std::expected<state_report, std::string> crash_engine::replay(const program& p, subject& s, std::string_view token) {
  if (std::string failure = impl_->record(p); !failure.empty()) return std::unexpected{std::move(failure)};
  return replay(p.name, impl_->recorded, s, token);
}

std::expected<state_report, std::string> crash_engine::replay(std::string_view name, const history& h, subject& s, std::string_view token) {
  if (std::string failure = impl_->check(h); !failure.empty()) return std::unexpected{std::move(failure)};
  return impl_->with_lines(h, s, name, [&](campaign c) { return c.replay(token, impl_->replayed); });
}

}  // namespace xip::crash
