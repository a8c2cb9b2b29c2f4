// From one task to another. A fiber switches straight to the next one; the host's stack runs only between schedules.
#include "explore/engine.h"

#include <exception>
#include <utility>

#include <xip/base/assert.h>

#include "explore/strategies.h"

namespace xip::explore {

engine::engine(const program& p, const engine_settings& settings) : program_{p}, settings_{settings}, solo_{settings.stack_bytes} {
  XIP_ASSERT(p.tasks.size() <= max_tasks);
  solo_context_.name = "alone";
  solo_context_.id = nobody;
  solo_context_.sched = this;
  solo_context_.deps = p.deps;
  solo_context_.points = this;
}

// States may still make calls that need a scheduler.
engine::~engine() {
  if (!saved_) return;
  restore();
  const std::function<void()> body = [this] {
    for (resettable* state : program_.state) state->release();
  };
  run_alone(body, failure_kind::check);
}

const outcome& engine::set_up() {
  outcome_ = {};
  const std::function<void()> body = [this] {
    if (program_.setup) program_.setup(*this);
  };
  run_alone(body, failure_kind::setup);
  saved_now_ = now_;
  if (outcome_.failed == failure_kind::none) save_state();
  return outcome_;
}

void engine::save_state() {
  for (resettable* state : program_.state)
    if (const result<> saved = state->save(); !saved)
      return record_failure(failure_kind::setup, "a state cannot be saved: " + std::string{saved.error().message()});
  saved_ = true;
}

void engine::restore() noexcept {
  for (resettable* state : program_.state) state->restore();
}

const outcome& engine::run(strategy& s, bool record_events) {
  restore();
  begin_schedule(s, record_events);
  if (count_ != 0) {
    in_schedule_ = true;
    if (const std::uint32_t first = successor(); first != nobody) host_.switch_to(hand_over(first));
    in_schedule_ = false;
    abandon_unfinished();
  }
  running_ = nobody;
  if (outcome_.failed == failure_kind::none && program_.check) run_alone(program_.check, failure_kind::check);
  outcome_.steps = step_;
  outcome_.hash = hash_;
  return outcome_;
}

void engine::begin_schedule(strategy& s, bool record_events) {
  strategy_ = &s;
  recording_ = record_events;
  events_.clear();
  outcome_.failed = failure_kind::none;
  outcome_.text.clear();
  outcome_.deviations.clear();
  outcome_.preemptions = 0;
  names_.begin();
  count_ = live_ = 0;
  ready_ = timed_ = spinning_ = parked_ = entered_ = ended_ = 0;
  idle_rounds_ = 0;
  step_ = 0;
  hash_ = 0;
  now_ = saved_now_;
  running_ = nobody;
  for (const task& t : program_.tasks) {
    const std::uint32_t number = count_;
    if (tasks_.size() == number) tasks_.push_back(std::make_unique<task_state>());
    task_state& made = *tasks_[number];
    made.body = &t.body;
    made.own.held_count = 0;
    made.own.task = nullptr;
    made.own.journal_info = nullptr;
    made.own.id = number;
    made.own.name = t.name.c_str();
    made.own.sched = this;
    made.own.deps = program_.deps;
    made.own.points = this;
    start_task(number, made.own);
  }
}

void engine::start_task(std::uint32_t number, thread_context& context) {
  if (fibers_.size() == number) fibers_.push_back(std::make_unique<fiber>(settings_.stack_bytes));
  task_state& made = *tasks_[number];
  made.owner = this;
  made.name = context.name;
  made.at = coverage::start;
  made.joined_by = 0;
  made.wants = {};
  made.held_count = 0;
  fibers_[number]->prepare(task_job, &made, context);
  ++count_;
  ++live_;
  ready_ |= only(number);
}

// The setup and the check run on a fiber too: so they can be left where they are, whatever they are in the middle of.
void engine::run_alone(const std::function<void()>& body, failure_kind kind) {
  solo_kind_ = kind;
  solo_call call{this, &body, kind};
  solo_.prepare(solo_job, &call, solo_context_);
  host_.switch_to(solo_);
  if (call.owner != nullptr) solo_.abandon();
}

fiber& engine::solo_job(void* argument) {
  solo_call& call = *static_cast<solo_call*>(argument);
  engine& self = *call.owner;
  try {
    (*call.body)();
  } catch (const std::exception& e) {
    self.record_failure(call.kind, e.what());
  } catch (...) {
    self.record_failure(call.kind, "something was thrown that is no std::exception");
  }
  call.owner = nullptr;  // it ended, well or not
  return self.host_;
}

fiber& engine::task_job(void* argument) {
  task_state& me = *static_cast<task_state*>(argument);
  me.owner->call_body(me);
  return me.owner->end_task();
}

void engine::call_body(task_state& me) noexcept {
  try {
    if (me.body != nullptr)
      (*me.body)();
    else
      me.spawned_body(me.argument);
  } catch (const std::exception& e) {
    record_failure(failure_kind::body, "task '" + me.name + "': " + e.what());
  } catch (...) {
    record_failure(failure_kind::body, "task '" + me.name + "' threw something that is no std::exception");
  }
}

fiber& engine::end_task() noexcept {
  task_state& me = *tasks_[running_];
  note(outcome_.failed == failure_kind::none ? event_kind::exit : event_kind::fail);
  ended_ |= only(running_);
  ready_ &= ~only(running_);
  ready_ |= std::exchange(me.joined_by, 0);
  if (--live_ == 0 || outcome_.failed != failure_kind::none) return host_;
  next_step();
  let_spinners_try();
  me.at = coverage::ended;
  const std::uint32_t next = successor();
  return next == nobody ? host_ : hand_over(next);
}

// Tasks that stand in the middle of something will never go on; the state they were changing is restored as a whole.
void engine::abandon_unfinished() {
  for (task_set left = entered_ & ~ended_; left != 0; left &= left - 1) fibers_[first_of(left)]->abandon();
}

void engine::leave() noexcept {
  fiber& me = in_schedule_ ? *fibers_[running_] : solo_;
  me.switch_to(host_);
  XIP_ASSERT(!"a task that was given up runs again");
  __builtin_unreachable();
}

void engine::record_failure(failure_kind kind, std::string_view text) {
  if (outcome_.failed != failure_kind::none) return;
  outcome_.failed = kind;
  outcome_.text = text;
}

// A setup that fails, fails as one: then nothing is saved that could be put back.
void engine::fail(std::string_view text) noexcept {
  const bool setting_up = !in_schedule_ && solo_kind_ == failure_kind::setup;
  record_failure(setting_up ? failure_kind::setup : failure_kind::reported, text);
  note(event_kind::fail);
  leave();
}

void engine::next_step() noexcept {
  if (++step_ <= settings_.max_steps) [[likely]]
    return;
  record_failure(failure_kind::livelock, "no end after " + std::to_string(settings_.max_steps) + " steps; task '" + tasks_[running_]->name +
                                             "' runs, at " + site_name(tasks_[running_]->at));
  note(event_kind::fail);
  leave();
}

// The running task got to a place where it may be switched, and could go on.
void engine::reach(site at) noexcept {
  tasks_[running_]->at = at;
  next_step();
  let_spinners_try();
  const task_set early = timed_ == 0 ? 0 : first_timers();
  const task_set candidates = ready_ | early;
  if (candidates == only(running_)) return;
  const std::uint32_t to = choose(candidates, early, false);
  if (to == running_) return;
  fiber& me = *fibers_[running_];
  me.switch_to(hand_over(to));
}

// The running task cannot go on; returns when it can, and was chosen.
void engine::give_way() noexcept {
  next_step();
  const std::uint32_t me = running_;
  const std::uint32_t to = successor();
  if (to == nobody) {
    note(event_kind::fail);
    leave();
  }
  fiber& next = hand_over(to);
  if (to != me) fibers_[me]->switch_to(next);
}

// Who goes on now that the running task cannot. Nobody: which is recorded as a failure.
std::uint32_t engine::successor() noexcept {
  if (ready_ == 0 && spinning_ != 0 && idle_rounds_ < 2) {
    const std::uint32_t rounds = idle_rounds_ + 1;
    let_spinners_try();  // somebody may have written without telling us; they look once more
    idle_rounds_ = rounds;
  }
  const task_set timers = timed_ == 0 ? 0 : first_timers();
  if (ready_ != 0) return choose(ready_ | timers, timers, true);
  if (timers != 0) return choose(timers, 0, true);
  report_dead_end();
  return nobody;
}

std::uint32_t engine::choose(task_set candidates, task_set early, bool voluntary) noexcept {
  const std::uint32_t usual = voluntary ? first_of(candidates & ~early) : running_;
  if ((candidates & (candidates - 1)) == 0) return usual;
  const choice c{step_, candidates, early, running_, usual, voluntary};
  const std::uint32_t to = strategy_->choose(c);
  XIP_ASSERT(to < max_tasks && (candidates & only(to)) != 0);
  if (to != usual) {
    outcome_.deviations.push_back({step_, to});
    outcome_.preemptions += c.cost(to);
  }
  return to;
}

fiber& engine::hand_over(std::uint32_t to) noexcept {
  if ((ready_ & only(to)) == 0) let_time_reach(tasks_[to]->deadline);
  if (to != running_) {
    if (running_ != nobody) coverage_.passed(tasks_[running_]->at, tasks_[to]->at);
    running_ = to;
    entered_ |= only(to);
    note(event_kind::resume);
  }
  return *fibers_[to];
}

// Timers fire in the order of their deadlines, so only those of the first one can.
task_set engine::first_timers() const noexcept {
  task_set found = 0;
  nanoseconds first = nanoseconds::max();
  for (task_set left = timed_; left != 0; left &= left - 1) {
    const std::uint32_t number = first_of(left);
    if (tasks_[number]->deadline > first) continue;
    if (tasks_[number]->deadline < first) found = 0;
    first = tasks_[number]->deadline;
    found |= only(number);
  }
  return found;
}

void engine::let_time_reach(nanoseconds at) noexcept {
  now_ = at;  // what is due sooner has fired already
  for (task_set left = timed_; left != 0; left &= left - 1) {
    const std::uint32_t number = first_of(left);
    if (tasks_[number]->deadline > now_) continue;
    timed_ &= ~only(number);
    ready_ |= only(number);
  }
}

void engine::let_spinners_try() noexcept {
  ready_ |= std::exchange(spinning_, 0);
  idle_rounds_ = 0;
}

std::vector<std::string> engine::task_names() const {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < count_; ++i) names.push_back(tasks_[i]->name);
  return names;
}

}  // namespace xip::explore
