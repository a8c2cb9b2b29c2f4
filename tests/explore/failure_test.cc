// Each kind of failure is found, and said in words that help.
#include <string>

#include <gmock/gmock.h>

#include <xip/explore/snapshot_arena.h>
#include <xip/locks/wait_queue.h>

#include "explore/litmus.h"

namespace xip::explore::test {
namespace {

using testing::HasSubstr;

const found_failure& only_failure(const report& r) {
  static const found_failure nothing;
  EXPECT_EQ(r.failures.size(), 1u) << "schedules: " << r.schedules;
  return r.failures.empty() ? nothing : r.failures[0];
}

TEST(Failure, LostUpdate) {
  fresh<counter> shared;
  program p{.name = "lost-update", .state = {&shared}};
  for (const char* name : {"a", "b"}) p.tasks.push_back({name, [&] { shared->add_one(); }});
  p.check = [&] { expect_that(shared->value == 2, "an update was lost"); };
  EXPECT_TRUE(explore(p, with("bound=0")).passed());
  const report r = explore(p);
  const found_failure& f = only_failure(r);
  EXPECT_EQ(f.first.failed, failure_kind::check);
  EXPECT_EQ(f.first.text, "an update was lost");
  EXPECT_EQ(f.first.preemptions, 1u);
  EXPECT_EQ(f.strategy, "bound=1");
}

struct two_locks {
  mutex<first_class> first;
  mutex<second_class> second;
};

program abba(fresh<two_locks>& locks) {
  program p{.name = "abba", .state = {&locks}};
  p.tasks = {{"ab",
              [&locks] {
                const mutex_guard outer{locks->first};
                const mutex_guard inner{locks->second};
              }},
             {"ba", [&locks] {
                const mutex_guard outer{locks->second};
                const mutex_guard inner{locks->first};
              }}};
  return p;
}

TEST(Failure, Deadlock) {
  fresh<two_locks> locks;
  const report r = explore(abba(locks), with("bound=1"));
  const found_failure& f = only_failure(r);
  EXPECT_EQ(f.first.failed, failure_kind::deadlock);
  EXPECT_THAT(f.first.text, HasSubstr("task 0 'ab' holds test_first#1, waits for test_second#1 (held by 'ba')"));
  EXPECT_THAT(f.first.text, HasSubstr("task 1 'ba' holds test_second#1, waits for test_first#1 (held by 'ab')"));
}

TEST(Failure, ExplorationGoesOnAfterADeadlock) {
  fresh<two_locks> locks;
  const program p = abba(locks);
  explore_options o = with("exhaustive");
  o.max_failures = 1000;
  const report all = explore(p, o);
  EXPECT_TRUE(all.complete);
  EXPECT_GT(all.failed_schedules, 1u);
  EXPECT_LT(all.failed_schedules, all.schedules);
  EXPECT_EQ(all.failures.size(), all.failed_schedules);
}

// Their stacks are given up with what lies on them. Where leaks are checked, the strings are no leak of ours.
TEST(Failure, WhatGivenUpTasksOwnIsNoLeak) {
  fresh<completion> never;
  program p{.name = "given-up", .state = {&never}};
  for (const char* name : {"a", "b"})
    p.tasks.push_back({name, [&never] {
                         const std::string on_the_heap(1000, 'x');
                         here();
                         never->wait();
                         expect_that(on_the_heap.size() == 1000, "unreachable");
                       }});
  explore_options o = with("exhaustive");
  o.max_failures = 1000;
  const report r = explore(p, o);
  EXPECT_EQ(r.failed_schedules, r.schedules);
  EXPECT_TRUE(r.complete);
}

struct sleeper {
  mutex<first_class> m;
  wait_queue queue;
  bool ready = false;
};

// The waker looks for sleepers before it says what they wait for.
TEST(Failure, LostWakeUp) {
  fresh<sleeper> s;
  program p{.name = "lost-wake-up", .state = {&s}};
  p.tasks = {{"sleeper",
              [&] {
                const mutex_guard guard{s->m};
                s->queue.wait(s->m, [&] { return s->ready; });
              }},
             {"waker", [&] {
                s->queue.wake_all();
                const mutex_guard guard{s->m};
                s->ready = true;
              }}};
  const report r = explore(p, with("bound=1"));
  const found_failure& f = only_failure(r);
  EXPECT_EQ(f.first.failed, failure_kind::lost_wakeup);
  EXPECT_THAT(f.first.text, HasSubstr("task 0 'sleeper' holds no lock, sleeps in wait_queue#1"));
}

TEST(Failure, WakeAfterChangeLosesNothing) {
  fresh<sleeper> s;
  program p{.name = "wake-up", .state = {&s}};
  p.tasks = {{"sleeper",
              [&] {
                const mutex_guard guard{s->m};
                s->queue.wait(s->m, [&] { return s->ready; });
              }},
             {"waker", [&] {
                {
                  const mutex_guard guard{s->m};
                  s->ready = true;
                }
                s->queue.wake_all();
              }}};
  const report r = explore(p, with("exhaustive"));
  EXPECT_TRUE(r.passed());
  EXPECT_TRUE(r.complete);
}

TEST(Failure, Livelock) {
  fresh<counter> shared;
  program p{.name = "livelock", .state = {&shared}};
  p.tasks = {{"poller",
              [&] {
                while (shared->value == 0) here();
              }},
             {"setter", [&] { shared->value = 1; }}};
  const report r = explore(p, with("bound=0"));
  const found_failure& f = only_failure(r);
  EXPECT_EQ(f.first.failed, failure_kind::livelock);
  EXPECT_THAT(f.first.text, HasSubstr("task 'poller' runs, at xip_copy_piece"));
}

// What the body holds is released: the other task would wait for ever otherwise, and be reported in its place.
TEST(Failure, BodyThrowsAndReleasesItsLocks) {
  fresh<mutex<first_class>> m;
  program p{.name = "thrower", .state = {&m}};
  p.tasks = {{"thrower", [&] {
                const mutex_guard guard{*m};
                throw failure{"on purpose"};
              }}};
  const report r = explore(p, with("bound=0"));
  EXPECT_EQ(only_failure(r).first.failed, failure_kind::body);
  EXPECT_EQ(only_failure(r).first.text, "task 'thrower': on purpose");
  EXPECT_FALSE(m->has_waiters());
  if (m->try_lock())
    m->unlock();
  else
    ADD_FAILURE() << "the lock is still held";
}

// Destructors that an exception runs may be switched away from, while another task throws and catches.
TEST(Failure, ExceptionsOfSeveralTasksDoNotMix) {
  struct slow_cleanup {
    ~slow_cleanup() {
      here();
      here();
    }
  };
  program p{.name = "throwers", .state = {}};
  for (const int value : {1, 2})
    p.tasks.push_back({"t" + std::to_string(value), [value] {
                         try {
                           const slow_cleanup cleanup;
                           throw value;
                         } catch (const int caught) {
                           here();
                           expect_that(caught == value, "caught what another task threw");
                         }
                         expect_that(std::uncaught_exceptions() == 0, "an exception is still on its way");
                       }});
  const report r = explore(p, with("exhaustive"));
  EXPECT_TRUE(r.passed()) << r.failures[0].first.text;
  EXPECT_EQ(r.schedules, choose_of(8, 4));
}

class reporter final : public point_sink {
 public:
  scheduler* runs = nullptr;
  std::uint64_t heard = 0;
  void on_point(point p, std::uint64_t a, std::uint64_t, std::uint64_t) noexcept override {
    ++heard;
    if (p == point::xip_before_drain && a == 7) runs->fail("seven");
  }
  int inject(point, std::uint64_t a, std::uint64_t) noexcept override { return a == 3 ? ENOMEM : 0; }
};

TEST(Failure, ListenerHearsInjectsAndEndsTheSchedule) {
  reporter listener;
  bool went_on = false;
  program p{.name = "reported", .state = {}};
  p.setup = [&](scheduler& s) {
    listener.runs = &s;
    s.set_listener(&listener);
  };
  p.tasks = {{"t", [&] {
                expect_that(XIP_FAIL_POINT(alloc_memory, 1).has_value(), "injected");
                expect_that(!XIP_FAIL_POINT(alloc_memory, 3).has_value(), "not injected");
                there(7);
                went_on = true;
              }}};
  const report r = explore(p, with("bound=0"));
  EXPECT_EQ(only_failure(r).first.failed, failure_kind::reported);
  EXPECT_EQ(only_failure(r).first.text, "seven");
  EXPECT_FALSE(went_on);
  EXPECT_GE(listener.heard, 3u);
}

TEST(Failure, SetupThatThrowsOrBlocksIsReported) {
  program p{.name = "setup", .state = {}};
  p.setup = [](scheduler&) { throw failure{"no image"}; };
  const report thrown = explore(p);
  EXPECT_EQ(only_failure(thrown).first.failed, failure_kind::setup);
  EXPECT_EQ(only_failure(thrown).first.text, "no image");
  completion never;
  p.setup = [&](scheduler&) { never.wait(); };
  const report blocked = explore(p);
  EXPECT_EQ(only_failure(blocked).first.failed, failure_kind::setup);
  EXPECT_EQ(only_failure(blocked).first.text, "the setup blocked");
}

// What listens may find something in the setup already. Nothing was saved then, so nothing may be put back.
TEST(Failure, SetupThatAListenerFailsIsReported) {
  snapshot_arena unsaved;
  program p{.name = "setup", .state = {&unsaved}};
  p.setup = [](scheduler& s) { s.fail("misused"); };
  p.tasks = {{"t", [] { here(); }}};
  const report r = explore(p);
  EXPECT_EQ(only_failure(r).first.failed, failure_kind::setup);
  EXPECT_EQ(only_failure(r).first.text, "misused");
}

TEST(Failure, CheckThatBlocksIsReported) {
  fresh<completion> never;
  program p{.name = "check", .state = {&never}};
  p.tasks = {{"t", [] { here(); }}};
  p.check = [&] { never->wait(); };
  const report r = explore(p, with("bound=1"));
  EXPECT_EQ(only_failure(r).first.failed, failure_kind::check);
  EXPECT_EQ(only_failure(r).first.text, "the check blocked");
}

TEST(Failure, NonDeterminismIsFound) {
  std::uint64_t outside = 0;  // on purpose not in the state
  program p{.name = "outside", .state = {}};
  p.tasks = {{"t", [&] {
                here();
                if (++outside % 2 == 0) there();
              }}};
  const report r = explore(p);
  EXPECT_EQ(only_failure(r).first.failed, failure_kind::nondeterminism);
}

TEST(Failure, FailureThatDoesNotComeBackIsNonDeterminism) {
  int runs = 0;
  program p{.name = "once", .state = {}};
  p.tasks = {{"t", [&] { expect_that(++runs != 1, "the first time only"); }}};
  const report r = explore(p, with("bound=0"));
  EXPECT_EQ(only_failure(r).first.failed, failure_kind::nondeterminism);
  EXPECT_THAT(only_failure(r).first.text, HasSubstr("the first time only"));
}

TEST(Failure, FailureThatComesBackAnotherWayIsNonDeterminism) {
  int runs = 0;
  program p{.name = "wanders", .state = {}};
  p.tasks = {{"t", [&] {
                here(static_cast<std::uint64_t>(++runs));
                throw failure{"always"};
              }}};
  EXPECT_EQ(only_failure(explore(p, with("bound=0"))).first.failed, failure_kind::nondeterminism);
}

TEST(Failure, NonDeterminismIsFoundWhenASearchComesBack) {
  std::uint64_t outside = 0;
  explore_options o = with("exhaustive");
  o.repeat_every = 0;
  program p{.name = "outside-search", .state = {}};
  for (const char* name : {"a", "b"})
    p.tasks.push_back({name, [&] {
                         if (++outside % 5 != 0) here();
                         here();
                       }});
  EXPECT_EQ(only_failure(explore(p, o)).first.failed, failure_kind::nondeterminism);
}

}  // namespace
}  // namespace xip::explore::test
