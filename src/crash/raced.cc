#include "crash/raced.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include <xip/explore/failure.h>
#include <xip/locks/clock.h>
#include <xip/locks/thread_context.h>

#include "crash/raced_token.h"
#include "explore/random.h"

namespace xip::crash {
namespace {

constexpr std::string_view crash_says = "crash state: ";
// Each schedule that is tried is crashed, which takes a hundred times as long as to run it.
constexpr std::uint64_t minimise_steps = 300'000;
constexpr std::size_t stack_bytes = std::size_t{1} << 20;  // where what is found is read: a tree of files

// Puts back what was changed for a while.
template <class T>
class for_now {
 public:
  for_now(T& what, T now) : what_{what}, before_{std::exchange(what, std::move(now))} {}
  ~for_now() { what_ = std::move(before_); }
  for_now(const for_now&) = delete;
  for_now& operator=(const for_now&) = delete;

 private:
  T& what_;
  T before_;
};

}  // namespace

raced_workload::raced_workload(const crashed_file_system& fs, const workload& w, std::span<const std::byte> start, crash_engine& engine,
                               const explore::explore_options& schedules)
    : work_{w}, engine_{engine}, subject_{fs, w, start}, machine_{fs, start, engine.options().windows, subject_.calls(), tasks_of(w)} {
  report_.program = w.name;
  report_.unit = engine.options().unit;
  program_.name = w.name;
  program_.state = {&machine_};
  program_.setup = [this](explore::scheduler& s) { machine_.boot(s); };
  for (std::uint32_t i = 0; i < tasks_of(w); ++i) program_.tasks.push_back({fmt::format("task {}", i + 1), [this, i] { machine_.run(i); }});
  program_.check = [this] { check(); };
  explorer_.emplace(program_, options_for(schedules));
}

explore::explore_options raced_workload::options_for(explore::explore_options o) {
  const crash_options& crashes = engine_.options();
  if (o.strategies.empty()) o.strategies = {{.bound = 1}, {.kind = explore::strategy_spec::type::pct, .bound = 3}};
  o.minimise_steps = crashes.minimise_runs == 0 ? 0 : std::min(o.minimise_steps, minimise_steps);
  o.stack_bytes = stack_bytes;
  o.max_failures = crashes.max_failures;
  o.max_time = crashes.max_time;
  o.stop = crashes.stop;
  o.progress_every = crashes.progress_every;
  if (crashes.on_progress) o.on_progress = [tell = crashes.on_progress, this](const explore::progress&) { tell(progress({})); };
  return o;
}

crash_progress raced_workload::progress(const crash_progress& of_run) const {
  return {report_.points + of_run.points, report_.states + of_run.states, subject_.images(), subject_.meanings(),
          report_.failing_states + of_run.failing_states};
}

// The scheduler's time stands still: who judges has the host's.
void raced_workload::check() {
  const tree live = machine_.live();
  thread_context host;
  const current_scope scope{host};
  judge(live);
}

void raced_workload::judge(const tree& live) {
  if (shown_.events().empty()) {
    shown_ = machine_.done();
    answers_.assign(machine_.answers().begin(), machine_.answers().end());
  }
  const std::uint64_t id = identity(live);
  if (purpose_ == purpose::search && passed_.contains(id)) return;
  if (const std::string wrong = subject_.take(machine_.done(), machine_.answers(), live); !wrong.empty()) throw explore::failure{wrong};
  switch (purpose_) {
    case purpose::search:
      search();
      passed_.insert(id);
      return;
    case purpose::report:
      return report();
    case purpose::replay:
      return replay_state();
  }
}

void raced_workload::search() {
  if (subject_.unexplained()) {
    ++race_.unexplained;
    return;
  }
  crash_options& o = engine_.options();
  const for_now one{o.max_failures, 1u};
  const for_now as_found{o.minimise_runs, std::uint64_t{0}};
  const bool first = race_.histories == 0;
  const for_now quiet{o.on_state, first ? o.on_state : nullptr};
  const crash_report r = engine_.run(work_.name, machine_.done(), subject_);
  add(r);
  if (!r.broken.empty()) throw explore::failure{r.broken};
  if (!r.failures.empty()) throw explore::failure{fmt::format("{}{}", crash_says, r.failures.front().first.failure)};
}

// A schedule is run twice to be reported, and its crash, with all its moments, is looked at and made smaller once.
void raced_workload::report() {
  if (!found_) {
    subject_.look_again(true);
    const for_now one{engine_.options().max_failures, 1u};
    const crash_report r = engine_.run(work_.name, machine_.done(), subject_);
    subject_.look_again(false);
    if (!r.broken.empty()) throw explore::failure{r.broken};
    if (r.failures.empty()) return;
    found_ = r.failures.front();
  }
  throw explore::failure{fmt::format("{}{}", crash_says, found_->first.failure)};
}

void raced_workload::replay_state() {
  if (!again_) again_ = engine_.replay(work_.name, machine_.done(), subject_, wanted_);
  if (*again_ && !(*again_)->failure.empty()) throw explore::failure{fmt::format("{}{}", crash_says, (*again_)->failure)};
}

// What was done to the device by whom, what was answered, and what is there: a crash leaves the same, and the same may be found.
std::uint64_t raced_workload::identity(const tree& live) const {
  const history& h = machine_.done();
  std::uint64_t sum = h.shape();
  sum = explore::mix(sum ^ explore::hash_bytes(h.contents().data(), h.contents().size()));
  const std::span answers = std::as_bytes(machine_.answers());
  sum = explore::mix(sum ^ explore::hash_bytes(answers.data(), answers.size()));
  const std::string text = text_of(live);
  return explore::mix(sum ^ explore::hash_bytes(reinterpret_cast<const std::byte*>(text.data()), text.size()));
}

void raced_workload::add(const crash_report& r) {
  ++race_.histories;
  report_.points += r.points, report_.repeated_points += r.repeated_points;
  report_.states += r.states, report_.failing_states += r.failing_states;
  report_.recoveries += r.recoveries;
  report_.max_lines = std::max(report_.max_lines, r.max_lines);
  report_.log2_states = std::max(report_.log2_states, r.log2_states);
  report_.subject_seconds += r.subject_seconds;
  report_.cut.insert(report_.cut.end(), r.cut.begin(), r.cut.end());
}

crash_campaign::result raced_workload::run() {
  const nanoseconds started = monotonic_now();
  std::function<void(const crash_progress&)>& tell = engine_.options().on_progress;
  const auto in_all = [all = tell, this](const crash_progress& p) { all(progress(p)); };
  const for_now of_all{tell, tell ? std::function<void(const crash_progress&)>{in_all} : nullptr};
  const explore::report r = explorer_->run();
  for (const explore::found_failure& f : r.failures) report_.failures.push_back(describe(f.minimised));
  race_.schedules = r.schedules;
  race_.orders = subject_.orders_made();
  race_.complete = r.complete;
  report_.unique_images = subject_.images();
  report_.meanings = subject_.meanings();
  report_.failing_states = std::max<std::uint64_t>(report_.failing_states, report_.failures.size());
  report_.stopped = r.stopped || !r.failures.empty();
  report_.seconds = std::chrono::duration<double>(monotonic_now() - started).count();
  crash_campaign::result done{std::move(report_)};
  done.answers = std::move(answers_);
  done.race = race_;
  return done;
}

found_failure raced_workload::describe(const explore::schedule_report& s) {
  found_.reset();
  machine_.keep(true);
  {
    const for_now now{purpose_, purpose::report};
    static_cast<void>(explorer_->replay(s.token));
  }
  machine_.keep(false);
  shown_ = machine_.kept();
  found_failure f;
  if (found_) {
    f = *std::move(found_);
  } else {
    f.first.failure = s.text.empty() ? std::string{explore::failure_name(s.failed)} : s.text;
    f.first.uncrashed = true;
    f.minimised = f.first;
  }
  put_into_words(f.first, s);
  put_into_words(f.minimised, s);
  return f;
}

// Operations of the history become steps of the workload.
void raced_workload::put_into_words(state_report& state, const explore::schedule_report& s) const {
  const std::span operations = shown_.operations();
  for (flying_line& l : state.lines)
    for (flying_store& st : l.stores)
      if (st.operation < operations.size()) st.operation = subject_.calls()[operations[st.operation].index].of;
  if (!state.uncrashed) state.moment = moment_of(state);
  state.schedule = turns_of(s);
  state.token = format_token(raced_token{s.token, state.token});
}

std::string raced_workload::moment_of(const state_report& state) const {
  std::string text;
  for (std::uint32_t task = 0; task < program_.tasks.size(); ++task) {
    const operation* last = nullptr;
    for (const operation& o : shown_.operations())
      if (o.task == task && o.begun < state.event) last = &o;
    text += text.empty() ? "" : "; ";
    text += last == nullptr ? fmt::format("task {} has not begun", task + 1)
                            : fmt::format("{} '{}'", last->ended < state.event ? "behind" : "in", last->text);
    if (state.before != event_kind::end && shown_.events()[state.event].task == task)
      text += fmt::format(", before its next {}", event_name(state.before));
  }
  return text;
}

// Where TASK is at STEP of the schedule.
std::string raced_workload::call_at(std::uint32_t task, std::uint64_t step) const {
  std::string_view in;
  for (const operation& o : shown_.operations())
    if (o.task == task && machine_.step_of(o.index) <= step) in = o.text;
  return in.empty() ? fmt::format("task {}", task + 1) : fmt::format("in '{}'", in);
}

std::vector<std::string> raced_workload::turns_of(const explore::schedule_report& s) const {
  std::vector<std::string> turns;
  for (std::size_t i = 0; i < s.trace.size(); ++i) {
    const explore::event& e = s.trace[i];
    if (i + 1 < s.trace.size() && s.trace[i + 1].task == e.task) continue;
    if (e.kind == explore::event_kind::exit) {
      turns.push_back(fmt::format("task {} runs to its end", e.task + 1));
      continue;
    }
    const bool named = e.kind == explore::event_kind::point;
    turns.push_back(fmt::format("task {} runs until {}, {}", e.task + 1,
                                named ? std::string{e.name} : fmt::format("{} {}", explore::event_name(e.kind), e.name),
                                call_at(e.task, e.step)));
  }
  return turns;
}

std::expected<state_report, std::string> raced_workload::replay(std::string_view token) {
  const auto parts = parse_raced_token(token);
  if (!parts) return std::unexpected{parts.error()};
  wanted_ = parts->state;
  again_.reset();
  machine_.keep(true);
  const for_now now{purpose_, wanted_.empty() ? purpose::report : purpose::replay};
  found_.reset();
  const auto went = explorer_->replay(parts->schedule);
  machine_.keep(false);
  if (!went) return std::unexpected{went.error()};
  shown_ = machine_.kept();
  if (again_ && !*again_) return std::unexpected{again_->error()};
  state_report state;
  if (again_) {
    state = **again_;
  } else {
    state.uncrashed = true;
    state.failure = went->text;
  }
  put_into_words(state, *went);
  return state;
}

}  // namespace xip::crash
