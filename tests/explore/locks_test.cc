// Everything in <xip/locks> under the scheduler.
#include <algorithm>
#include <memory_resource>
#include <optional>

#include <xip/locks/clock.h>
#include <xip/locks/kthread.h>
#include <xip/locks/rw_semaphore.h>
#include <xip/locks/seqcount.h>
#include <xip/locks/spin_lock.h>
#include <xip/locks/wait_queue.h>

#include "explore/litmus.h"

namespace xip::explore::test {
namespace {

constexpr lock_class rw_class{"test_rwsem"};
constexpr lock_class spinning_class{"test_spin", lock_kind::spinning};
constexpr nanoseconds second{1'000'000'000};

void expect_survives(const program& p, const char* strategy = "exhaustive") {
  const report r = explore(p, with(strategy));
  EXPECT_TRUE(r.passed()) << r.failures[0].first.text;
  EXPECT_TRUE(r.complete) << r.schedules;
}

struct two_words {
  std::uint64_t a, b;
};

struct everything {
  mutex<first_class> m;
  rw_semaphore<rw_class> rw;
  spin_lock<spinning_class> spin;
  wait_queue queue;
  completion done;
  seqcount sequence;
  seq_words<two_words> pair;
  int inside = 0;
  int readers = 0;
  int turn = 0;
};

TEST(Locks, SpinLockExcludes) {
  fresh<everything> e;
  program p{.name = "spin", .state = {&e}};
  for (const char* name : {"a", "b"})
    p.tasks.push_back({name, [&] {
                         const spin_guard guard{e->spin};
                         expect_that(++e->inside == 1, "two inside");
                         here();
                         --e->inside;
                       }});
  expect_survives(p);
}

TEST(Locks, SpinLockOfASleeperIsADeadlock) {
  fresh<everything> e;
  program p{.name = "spin-deadlock", .state = {&e}};
  p.tasks = {{"holder",
              [&] {
                const spin_guard guard{e->spin};
                e->done.wait();
              }},
             {"spinner", [&] {
                const spin_guard guard{e->spin};
                e->done.complete_all();
              }}};
  const report r = explore(p, with("bound=1"));
  ASSERT_EQ(r.failures.size(), 1u);
  EXPECT_EQ(r.failures[0].first.failed, failure_kind::deadlock);
  EXPECT_NE(r.failures[0].first.text.find("'spinner' holds no lock, spins for test_spin#1 (held by 'holder')"), std::string::npos)
      << r.failures[0].first.text;
}

TEST(Locks, RwSemaphoreLetsReadersInTogetherAndWritersAlone) {
  fresh<everything> e;
  int most_readers = 0;
  program p{.name = "rwsem", .state = {&e}};
  for (const char* name : {"r1", "r2"})
    p.tasks.push_back({name, [&] {
                         const shared_guard guard{e->rw};
                         expect_that(e->inside == 0, "a reader beside a writer");
                         most_readers = std::max(most_readers, ++e->readers);
                         here();
                         --e->readers;
                       }});
  p.tasks.push_back({"w", [&] {
                       const exclusive_guard guard{e->rw};
                       expect_that(e->readers == 0 && ++e->inside == 1, "a writer beside somebody");
                       here();
                       --e->inside;
                     }});
  expect_survives(p, "bound=3");
  EXPECT_EQ(most_readers, 2);
}

TEST(Locks, TryLockIsASwitchPointAndMayFail) {
  fresh<everything> e;
  int failed = 0, got = 0;
  program p{.name = "try", .state = {&e}};
  for (const char* name : {"a", "b"})
    p.tasks.push_back({name, [&] {
                         if (!e->m.try_lock()) {
                           ++failed;
                           return;
                         }
                         ++got;
                         here();
                         e->m.unlock();
                       }});
  expect_survives(p);
  EXPECT_GT(failed, 0);
  EXPECT_GT(got, failed);
}

TEST(Locks, SeqcountReaderWaitsForTheWriterAndSeesNoTornPair) {
  fresh<everything> e;
  program p{.name = "seqcount", .state = {&e}};
  p.tasks = {{"writer",
              [&] {
                for (std::uint64_t n = 1; n <= 2; ++n) {
                  const mutex_guard guard{e->m};
                  const seqcount_write_guard write{e->sequence};
                  here();
                  e->pair.store({n, n});
                  here();
                }
              }},
             {"reader", [&] {
                const auto [a, b] = seq_read(e->sequence, e->pair);
                expect_that(a == b, "torn");
                here();
                const auto [c, d] = seq_read(e->sequence, e->pair);
                expect_that(c == d && c >= a, "torn or gone back");
              }}};
  expect_survives(p);
}

TEST(Locks, SeqcountWriterThatSleepsIsADeadlock) {
  fresh<everything> e;
  program p{.name = "seqcount-deadlock", .state = {&e}};
  p.tasks = {{"writer",
              [&] {
                const seqcount_write_guard write{e->sequence};
                e->done.wait();
              }},
             {"reader", [&] {
                (void)seq_read(e->sequence, e->pair);
                e->done.complete_all();
              }}};
  const report r = explore(p, with("bound=1"));
  ASSERT_EQ(r.failures.size(), 1u);
  EXPECT_EQ(r.failures[0].first.failed, failure_kind::deadlock) << r.failures[0].first.text;
}

TEST(Locks, WaitQueueTakesTurns) {
  fresh<everything> e;
  program p{.name = "turns", .state = {&e}};
  for (const int me : {0, 1, 2})
    p.tasks.push_back({"t" + std::to_string(me), [&e, me] {
                         const mutex_guard guard{e->m};
                         e->queue.wait(e->m, [&] { return e->turn == me; });
                         ++e->turn;
                         e->queue.wake_all();
                       }});
  p.check = [&] { expect_that(e->turn == 3, "a turn was left out"); };
  expect_survives(p, "bound=2");
}

TEST(Locks, CompletionMayBeWaitedForByMany) {
  fresh<everything> e;
  program p{.name = "completion", .state = {&e}};
  for (const char* name : {"a", "b"}) p.tasks.push_back({name, [&] { e->done.wait(); }});
  p.tasks.push_back({"c", [&] { e->done.complete_all(); }});
  expect_survives(p);
}

TEST(Locks, ThreadsAreTasksOfTheSameSchedule) {
  fresh<everything> e;
  program p{.name = "threads", .state = {&e}};
  p.tasks = {{"maker", [&] {
                auto child = [&](const char* name) {
                  return kthread::run(name, *std::pmr::new_delete_resource(), [&] {
                    const mutex_guard guard{e->m};
                    here();
                    ++e->inside;
                  });
                };
                auto first = child("first");
                auto second = child("second");
                expect_that(first.has_value() && second.has_value(), "no thread");
                first->join();
                second->join();
                expect_that(e->inside == 2, "a thread was not done");
              }}};
  expect_survives(p, "bound=2");
}

TEST(Locks, ThreadThatNobodyWaitsForStillEndsBeforeTheCheck) {
  fresh<everything> e;
  program p{.name = "orphan", .state = {&e}};
  std::optional<kthread> child;
  p.tasks = {{"maker", [&] {
                child = std::move(*kthread::run("child", *std::pmr::new_delete_resource(), [&] {
                  here();
                  e->inside = 1;
                }));
              }}};
  p.check = [&] {
    expect_that(e->inside == 1, "the thread has not ended");
    child.reset();
  };
  expect_survives(p);
}

TEST(Locks, TimePassesOnlyWhenNobodyCanRun) {
  fresh<everything> e;
  program p{.name = "time", .state = {&e}};
  for (const int me : {2, 1, 3})
    p.tasks.push_back({"t" + std::to_string(me), [&e, me] {
                         expect_that(monotonic_now() == nanoseconds{0} || e->turn != 0, "time passed by itself");
                         const mutex_guard guard{e->m};
                         expect_that(!e->queue.wait_until(e->m, me * second, [] { return false; }), "woken by nobody");
                         expect_that(monotonic_now() >= me * second, "too early");
                         ++e->turn;
                         expect_that(e->turn == me, "out of order");
                       }});
  explore_options o = with("bound=0");
  const report r = explore(p, o);
  EXPECT_TRUE(r.passed()) << r.failures[0].first.text;
}

// The bug needs a timer that fires although the waker could have run: that counts like a preemption.
TEST(Locks, TimerMayFireEarly) {
  fresh<everything> e;
  program p{.name = "early", .state = {&e}};
  p.tasks = {{"waiter",
              [&] {
                const mutex_guard guard{e->m};
                expect_that(e->queue.wait_until(e->m, second, [&] { return e->turn == 1; }), "timed out");
              }},
             {"waker", [&] {
                const mutex_guard guard{e->m};
                e->turn = 1;
                e->queue.wake_all();
              }}};
  EXPECT_TRUE(explore(p, with("bound=0")).passed());
  const report r = explore(p, with("bound=1"));
  ASSERT_EQ(r.failures.size(), 1u);
  EXPECT_EQ(r.failures[0].minimised.preemptions, 1u);
  EXPECT_EQ(r.failures[0].first.text, "task 'waiter': timed out");
}

// Also while somebody who could go on passes a point, not only where a task has to give way.
TEST(Locks, TimerMayFireAtAPoint) {
  fresh<everything> e;
  program p{.name = "early-at-point", .state = {&e}};
  p.tasks = {{"waiter",
              [&] {
                const mutex_guard guard{e->m};
                (void)e->queue.wait_until(e->m, second, [] { return false; });
                expect_that(e->inside == 0, "seen inside");
              }},
             {"worker", [&] {
                e->inside = 1;
                here();
                e->inside = 0;
              }}};
  EXPECT_TRUE(explore(p, with("bound=0")).passed());
  EXPECT_FALSE(explore(p, with("bound=1")).passed());
}

// Who timed out sleeps elsewhere by then: a late waker must not wake it there.
TEST(Locks, LateWakeUpReachesNobodyElse) {
  struct late {
    waiter* w = nullptr;
    bool timed_out = false;
    completion done;
  };
  fresh<late> s;
  program p{.name = "late-waker", .state = {&s}};
  p.tasks = {{"sleeper",
              [&] {
                waiter w{current()};
                s->w = &w;
                s->timed_out = !block_waiter(w, second);
                s->done.wait();
                expect_that(s->done.done(), "woken out of another sleep");
              }},
             {"waker", [&] {
                here();
                if (s->timed_out) wake_waiter(*s->w);
                here();
                s->done.complete_all();
              }}};
  expect_survives(p);
}

// It is tried again after the release, not after each step of the holder.
TEST(Locks, SpinnerWaitsForTheRelease) {
  fresh<everything> e;
  program p{.name = "spinner", .state = {&e}};
  for (const char* name : {"a", "b"})
    p.tasks.push_back({name, [&] {
                         const spin_guard guard{e->spin};
                         for (int i = 0; i < 3; ++i) here();
                       }});
  engine runs{p, plain_settings()};
  ASSERT_EQ(runs.set_up().failed, failure_kind::none);
  const auto s = make_strategy(strategy_spec{});
  std::ptrdiff_t most = 0;
  while (s->begin()) {
    ASSERT_EQ(runs.run(*s, true).failed, failure_kind::none);
    s->end();
    most = std::max(most, std::ranges::count(runs.events(), event_kind::yield, &event::kind));
  }
  EXPECT_EQ(most, 1);
}

// Each of the two is two pieces, before and after: all ways to interleave them.
TEST(Locks, WaitAndWakeAreSwitchPoints) {
  fresh<everything> e;
  program p{.name = "wait-wake", .state = {&e}};
  p.tasks = {{"waiter", [&] { e->done.wait(); }}, {"waker", [&] { e->done.complete_all(); }}};
  EXPECT_EQ(explore(p, with("exhaustive")).schedules, choose_of(4, 2));
}

// Time-out and wake-up meet in every order; nobody hangs, and what was said in time is seen.
TEST(Locks, TimeOutAndWakeUpMeet) {
  fresh<everything> e;
  int woken = 0, late = 0;
  program p{.name = "meet", .state = {&e}};
  p.tasks = {{"waiter",
              [&] {
                const mutex_guard guard{e->m};
                const bool in_time = e->queue.wait_until(e->m, second, [&] { return e->turn == 1; });
                ++(in_time ? woken : late);
                expect_that(in_time == (e->turn == 1), "the condition was not looked at");
              }},
             {"waker",
              [&] {
                {
                  const mutex_guard guard{e->m};
                  e->turn = 1;
                }
                e->queue.wake_one();
              }},
             {"bystander", [] { here(); }}};
  expect_survives(p);
  EXPECT_GT(woken, 0);
  EXPECT_GT(late, 0);
}

TEST(Locks, LockdepSeesTheTasksLocks) {
  fresh<everything> e;
  scheduler* runs = nullptr;
  lockdep deps{*std::pmr::new_delete_resource(), [&](const lockdep_report& r) {
                 if (runs != nullptr) runs->fail(r.text);
               }};
  program p{.name = "lockdep", .state = {&e}};
  p.deps = &deps;
  p.setup = [&](scheduler& s) { runs = &s; };
  p.tasks = {{"ab",
              [&] {
                const mutex_guard outer{e->m};
                const shared_guard inner{e->rw};
              }},
             {"ba", [&] {
                const shared_guard outer{e->rw};
                const mutex_guard inner{e->m};
              }}};
  const report r = explore(p, with("bound=0"));
  ASSERT_EQ(r.passed(), !lockdep_compiled_in);
  if (!lockdep_compiled_in) return;
  EXPECT_EQ(r.failures[0].first.failed, failure_kind::reported);
  EXPECT_NE(r.failures[0].first.text.find("test_first"), std::string::npos);
}

}  // namespace
}  // namespace xip::explore::test
