// The hooks suffice: a scheduler that knows nothing but them owns every interleaving of threads that use all of this room.
#include <memory_resource>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <xip/locks/clock.h>
#include <xip/locks/kthread.h>
#include <xip/locks/lockdep.h>
#include <xip/locks/mutex.h>
#include <xip/locks/rw_semaphore.h>
#include <xip/locks/seqcount.h>
#include <xip/locks/spin_lock.h>
#include <xip/locks/wait_for.h>
#include <xip/locks/wait_queue.h>

#include "locks/toy_scheduler.h"

namespace xip::test {
namespace {

constexpr lock_class outer_class{"test_outer"};
constexpr lock_class inner_class{"test_inner"};
constexpr lock_class rw_class{"test_rwsem"};
constexpr lock_class spinning_class{"test_spinning", lock_kind::spinning};
constexpr std::uint32_t seeds = 40;

kthread started(const char* name, std::function<void()> body) {
  auto made = kthread::run(name, *std::pmr::new_delete_resource(), std::move(body));
  EXPECT_TRUE(made.has_value());
  return std::move(*made);
}

// Runs BODY in two threads, and returns the scheduler's trace.
std::vector<std::string> run_two(toy_scheduler& toy, const std::function<void(int)>& body) {
  toy.run([&] {
    kthread first = started("first", [&] { body(0); });
    kthread second = started("second", [&] { body(1); });
    first.join();
    second.join();
  });
  return toy.trace;
}

// A little of everything; the order of its steps depends on the schedule.
std::vector<std::string> everything(std::uint32_t seed, std::string& order) {
  mutex<outer_class> outer;
  rw_semaphore<rw_class> rw;
  spin_lock<spinning_class> spin;
  wait_queue queue;
  completion first_done;
  int token = 0;
  toy_scheduler toy{seed};
  return run_two(toy, [&](int me) {
    {
      const shared_guard guard{rw};
      const spin_guard inner{spin};
      order += static_cast<char>('a' + me);
    }
    {
      const exclusive_guard guard{rw};
      order += static_cast<char>('A' + me);
    }
    {
      const mutex_guard guard{outer};
      queue.wait(outer, [&] { return token == me; });
      ++token;
      queue.wake_all();
    }
    if (me == 0)
      first_done.complete_all();
    else
      first_done.wait();
  });
}

TEST(SchedHook, SameSeedSameTrace) {
  std::set<std::string> orders;
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    std::string once, again;
    EXPECT_EQ(everything(seed, once), everything(seed, again)) << "seed " << seed;
    EXPECT_EQ(once, again);
    orders.insert(once);
  }
  EXPECT_GE(orders.size(), 4u) << "the seed makes no difference";
}

TEST(SchedHook, MutexExcludesInEverySchedule) {
  int had_to_wait = 0;
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    mutex<outer_class> outer;
    mutex<inner_class> inner;
    int inside = 0;
    toy_scheduler toy{seed};
    run_two(toy, [&](int) {
      for (int i = 0; i < 5; ++i) {
        const mutex_guard guard{outer};
        EXPECT_EQ(++inside, 1);
        {
          const mutex_guard switch_here{inner};
        }
        --inside;
      }
    });
    had_to_wait += toy.blocked;
  }
  EXPECT_GT(had_to_wait, 0);
}

TEST(SchedHook, HeldSpinLockLetsOthersRun) {
  int yields = 0;
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    spin_lock<spinning_class> spin;
    int inside = 0;
    toy_scheduler toy{seed};
    run_two(toy, [&](int) {
      for (int i = 0; i < 5; ++i) {
        const spin_guard guard{spin};
        EXPECT_EQ(++inside, 1);
        current().sched->on_lock(sched_event::acquire, spinning_class, nullptr, false);  // where a named point would be
        --inside;
      }
    });
    yields += toy.events[static_cast<int>(sched_event::yield)];
  }
  EXPECT_GT(yields, 0);
}

TEST(SchedHook, ReaderOfSeqcountLetsWriterFinish) {
  int yields = 0;
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    seqcount sequence;
    seq_words<std::uint64_t> words;
    toy_scheduler toy{seed};
    run_two(toy, [&](int me) {
      const auto switch_here = [] { current().sched->on_lock(sched_event::acquire, spinning_class, nullptr, false); };
      switch_here();
      if (me == 0) {
        const seqcount_write_guard guard{sequence};
        switch_here();
        words.store(1);
      } else {
        (void)seq_read(sequence, words);
      }
    });
    yields += toy.events[static_cast<int>(sched_event::yield)];
  }
  EXPECT_GT(yields, 0);
}

TEST(SchedHook, WaitForLetsOthersBringTheStateAbout) {
  int yields = 0;
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    int turn = 0;
    toy_scheduler toy{seed};
    run_two(toy, [&](int me) {
      for (int i = 0; i < 5; ++i) {
        wait_for([&] { return turn % 2 == me; });
        ++turn;
      }
    });
    EXPECT_EQ(turn, 10);
    yields += toy.events[static_cast<int>(sched_event::yield)];
  }
  EXPECT_GT(yields, 0);
}

TEST(SchedHook, WriterComesBeforeLaterReaderInEverySchedule) {
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    rw_semaphore<rw_class> rw;
    toy_scheduler toy{seed};
    std::string order;
    toy.run([&] {
      rw.lock_shared();
      kthread writer = started("writer", [&] {
        const exclusive_guard guard{rw};
        order += 'w';
      });
      wait_for([&] { return rw.has_waiters(); });
      EXPECT_FALSE(rw.try_lock_shared());
      kthread reader = started("reader", [&] {
        const shared_guard guard{rw};
        order += 'r';
      });
      rw.unlock_shared();
      writer.join();
      reader.join();
    });
    EXPECT_EQ(order, "wr") << "seed " << seed;
  }
}

TEST(SchedHook, TimeIsTheSchedulers) {
  toy_scheduler toy{1};
  toy.run([&] {
    mutex<outer_class> outer;
    wait_queue queue;
    const mutex_guard guard{outer};
    EXPECT_EQ(monotonic_now(), nanoseconds{0});
    EXPECT_FALSE(queue.wait_until(outer, std::chrono::hours{10}, [] { return false; }));
    EXPECT_EQ(monotonic_now(), std::chrono::hours{10});
    EXPECT_EQ(realtime_now_coarse(), std::chrono::hours{10});
  });
}

TEST(SchedHook, WakeAndDeadlineInEveryOrder) {
  int in_time = 0, late = 0;
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    mutex<outer_class> outer;
    wait_queue queue;
    bool ready = false;
    toy_scheduler toy{seed};
    run_two(toy, [&](int me) {
      const mutex_guard guard{outer};
      if (me == 0) {
        const bool answer = queue.wait_until(outer, nanoseconds{10}, [&] { return ready; });
        ++(answer ? in_time : late);
        return;
      }
      wait_queue other;
      // Half the seeds are late.
      (void)other.wait_until(outer, nanoseconds{seed % 2 == 0 ? 5 : 15}, [] { return false; });
      ready = true;
      queue.wake_one();
    });
    EXPECT_FALSE(queue.has_waiters());
  }
  EXPECT_EQ(in_time, seeds / 2);
  EXPECT_EQ(late, seeds / 2);
}

TEST(SchedHook, LockdepRunsBesideIt) {
  if (!lockdep_compiled_in) GTEST_SKIP() << "lockdep is not compiled in";
  std::set<std::string> seen;
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    std::vector<lockdep_report> reports;
    lockdep deps{*std::pmr::new_delete_resource(), [&](const lockdep_report& r) { reports.push_back(r); }};
    mutex<outer_class> outer;
    mutex<inner_class> inner;
    toy_scheduler toy{seed};
    toy.run([&] {
      current().deps = &deps;
      kthread first = started("first", [&] {
        const mutex_guard one{outer};
        const mutex_guard two{inner};
      });
      first.join();
      kthread second = started("second", [&] {
        const mutex_guard two{inner};
        const mutex_guard one{outer};
      });
      second.join();
    });
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].problem, lockdep_problem::inversion);
    seen.insert(reports[0].text);
  }
  EXPECT_EQ(seen.size(), 1u) << "a report depends on the schedule or on addresses";
}

}  // namespace
}  // namespace xip::test
