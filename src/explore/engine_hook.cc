// What tasks do, as locks and points tell it.
#include "explore/engine.h"

#include <algorithm>
#include <utility>

#include <xip/base/assert.h>

#include "explore/strategies.h"

namespace xip::explore {
namespace {

// waiter::hook_data: nothing happened yet, woken, or the number of the task that sleeps there. Not the task's context: system calls change
// that, and several may pass through one waiter's thread.
constexpr std::uint64_t was_woken = 1;
constexpr std::uint64_t first_sleeper = 2;

// File times of a schedule begin here: 2024-01-01.
constexpr nanoseconds epoch{std::int64_t{1'704'067'200} * 1'000'000'000};

constexpr site lock_site(std::uint32_t cls, unsigned operation) noexcept {
  return static_cast<site>(std::min<std::uint32_t>(coverage::first_lock + cls * coverage::operations + operation, coverage::max_sites - 1));
}

}  // namespace

// There is no switch at a release. Whoever runs instead right before it finds the lock taken, as at the switch point before; whoever runs
// right after it finds it free, as at the next one. Between those the task does nothing that others can see, or it would be a point.
void engine::on_lock(sched_event event, const lock_class& cls, const void* instance, bool exclusive) noexcept {
  if (!in_schedule_) return;
  const lock_names::lock_name name = names_.of(cls, instance);
  task_state& me = *tasks_[running_];
  switch (event) {
    case sched_event::acquire:
      note_lock(event_kind::acquire, name, exclusive);
      me.wants = {want::what::lock, exclusive, instance, name, 0};
      if (settings_.switch_at_acquire) reach(lock_site(name.cls, 0));
      return;
    case sched_event::acquired:
      note_lock(event_kind::acquired, name, exclusive);
      return hold(instance, name, exclusive);
    case sched_event::release:
      note_lock(event_kind::release, name, exclusive);
      return let_go(instance);
    case sched_event::wait:
      note_lock(event_kind::wait, name, exclusive);
      me.wants = {want::what::sleep, exclusive, instance, name, 0};
      return reach(lock_site(name.cls, 1));
    case sched_event::wake:
      note_lock(event_kind::wake, name, exclusive);
      return reach(lock_site(name.cls, 2));
    case sched_event::yield:
      note_lock(event_kind::yield, name, exclusive);
      me.wants = {want::what::spin, exclusive, instance, name, 0};
      return spin(cls, instance, name);
  }
}

// Trying again makes sense only after somebody else did something: after the lock's release where we know who holds it, else after any
// step of another task.
void engine::spin(const lock_class& cls, const void* instance, lock_names::lock_name name) noexcept {
  const task_set me = only(running_);
  tasks_[running_]->at = lock_site(name.cls, 3);
  ready_ &= ~me;
  (cls.kind == lock_kind::spinning && held_by_anybody(instance) ? parked_ : spinning_) |= me;
  give_way();
}

void engine::hold(const void* instance, lock_names::lock_name name, bool exclusive) noexcept {
  task_state& me = *tasks_[running_];
  me.wants = {};
  if (me.held_count < me.held.size()) me.held[me.held_count++] = {instance, name, exclusive};
}

// Mostly the newest of our own; a lock may also be given back by another task than the one that took it.
void engine::let_go(const void* instance) noexcept {
  let_spinners_try();
  for (task_set left = parked_; left != 0; left &= left - 1) {
    const std::uint32_t number = first_of(left);
    if (tasks_[number]->wants.instance != instance) continue;
    parked_ &= ~only(number);
    ready_ |= only(number);
  }
  for (std::uint32_t turn = 0; turn < count_; ++turn) {
    task_state& owner = *tasks_[(running_ + turn) % count_];
    for (std::uint32_t i = owner.held_count; i-- != 0;) {
      if (owner.held[i].instance != instance) continue;
      std::copy(owner.held.begin() + i + 1, owner.held.begin() + owner.held_count, owner.held.begin() + i);
      --owner.held_count;
      return;
    }
  }
}

bool engine::held_by_anybody(const void* instance) const noexcept {
  for (std::uint32_t number = 0; number < count_; ++number)
    for (std::uint32_t i = 0; i < tasks_[number]->held_count; ++i)
      if (tasks_[number]->held[i].instance == instance) return true;
  return false;
}

bool engine::block(waiter& w, nanoseconds deadline) noexcept {
  if (w.hook_data == was_woken) return true;
  if (deadline <= now_) return false;
  if (!in_schedule_) return block_alone(w, deadline);
  const std::uint32_t me = running_;
  w.hook_data = first_sleeper + me;
  note(event_kind::block);
  let_spinners_try();
  ready_ &= ~only(me);
  if (deadline != nanoseconds::max()) {
    timed_ |= only(me);
    tasks_[me]->deadline = deadline;
  }
  give_way();
  if (w.hook_data == was_woken) return true;
  note(event_kind::timeout);
  w.hook_data = 0;  // a waker that comes late finds nobody asleep, and the next block() returns at once
  return false;
}

// Nobody else is there to wake it: time passes, if there is a limit to that.
bool engine::block_alone(waiter&, nanoseconds deadline) noexcept {
  if (deadline == nanoseconds::max()) {
    record_failure(solo_kind_, solo_kind_ == failure_kind::setup ? "the setup blocked" : "the check blocked");
    leave();
  }
  now_ = deadline;
  return false;
}

void engine::wake(waiter& w) noexcept {
  const std::uint64_t before = std::exchange(w.hook_data, was_woken);
  if (before < first_sleeper) return;
  const task_set sleeper = only(static_cast<std::uint32_t>(before - first_sleeper));
  ready_ |= sleeper;
  timed_ &= ~sleeper;
}

// Outside of a schedule a thread runs to its end where it is started.
std::uint64_t engine::spawn(thread_context& context, void (*body)(void*), void* argument) noexcept {
  if (!in_schedule_) {
    context.id = nobody;
    body(argument);
    return nobody;
  }
  if (count_ == max_tasks) fail("more than 64 tasks in one schedule");
  const std::uint32_t number = count_;
  if (tasks_.size() == number) tasks_.push_back(std::make_unique<task_state>());
  task_state& made = *tasks_[number];
  made.body = nullptr;
  made.spawned_body = body;
  made.argument = argument;
  context.id = number;
  start_task(number, context);
  note(event_kind::spawn, number);
  reach(coverage::spawned);
  return number;
}

void engine::join(std::uint64_t thread) noexcept {
  if (!in_schedule_ || thread >= count_) return;
  task_state& me = *tasks_[running_];
  note(event_kind::join, thread);
  me.wants = {want::what::join, false, nullptr, {}, thread};
  reach(coverage::joins);
  while ((ended_ & only(static_cast<std::uint32_t>(thread))) == 0) {
    tasks_[thread]->joined_by |= only(running_);
    ready_ &= ~only(running_);
    give_way();
  }
  me.wants = {};
}

nanoseconds engine::realtime_now() noexcept { return epoch + now_; }

void engine::on_point(point p, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept {
  if (in_schedule_) {
    note(event_kind::point);
    hash(static_cast<std::uint64_t>(p));
    hash(a);
    hash(b);
    hash(c);
    if (recording_) {
      event& e = events_.back();
      e.name = point_name(p);
      e.a = a, e.b = b, e.c = c;
    }
  }
  if (listener_ != nullptr) listener_->on_point(p, a, b, c);
  if (in_schedule_ && settings_.switch_at[static_cast<std::size_t>(p)]) reach(static_cast<site>(p));
}

int engine::inject(point p, std::uint64_t a, std::uint64_t b) noexcept { return listener_ != nullptr ? listener_->inject(p, a, b) : 0; }

void engine::note(event_kind kind, std::uint64_t a) noexcept {
  hash(static_cast<std::uint64_t>(kind) | std::uint64_t{running_} << 8 | a << 16);
  if (recording_) events_.push_back({step_, running_, kind, false, 0, {}, a, 0, 0, now_});
}

void engine::trace(event_kind kind, bool exclusive, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept {
  if (recording_ && in_schedule_) events_.push_back({step_, running_, kind, exclusive, 0, {}, a, b, c, now_});
}

void engine::note_lock(event_kind kind, lock_names::lock_name name, bool exclusive) noexcept {
  const lock_names::class_entry& cls = names_.classes()[name.cls];
  hash(static_cast<std::uint64_t>(kind) | std::uint64_t{running_} << 8 | std::uint64_t{exclusive} << 16 |
       std::uint64_t{name.instance} << 32);
  hash(cls.hash);
  if (recording_) events_.push_back({step_, running_, kind, exclusive, name.instance, cls.cls->name, 0, 0, 0, now_});
}

}  // namespace xip::explore
