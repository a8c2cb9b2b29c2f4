#include <xip/locks/wait_queue.h>

#include <atomic>
#include <memory>

#include <xip/locks/mutex.h>
#include <xip/locks/spin_lock.h>

#include "locks/threads_fixture.h"

namespace xip::test {
namespace {

constexpr lock_class guard_class{"test_guard"};
constexpr lock_class spinning_class{"test_spinning", lock_kind::spinning};

class WaitQueue : public threads_fixture {
 protected:
  mutex<guard_class> lock;
  spin_lock<spinning_class> spin;
  wait_queue queue;
  int tokens = 0;
  std::atomic<int> served{0};

  void start_consumer() {
    start([this] {
      const mutex_guard guard{lock};
      queue.wait(lock, [this] { return tokens > 0; });
      --tokens;
      served.fetch_add(1);
    });
  }
  void add_tokens(int n) {
    const mutex_guard guard{lock};
    tokens += n;
  }
};

TEST_F(WaitQueue, TrueConditionDoesNotSleep) {
  tokens = 1;
  const mutex_guard guard{lock};
  queue.wait(lock, [this] { return tokens == 1; });
  EXPECT_FALSE(queue.has_waiters());
}

TEST_F(WaitQueue, WakeOneServesOne) {
  start_consumer();
  start_consumer();
  wait_for([this] { return queue.waiters() == 2; });
  add_tokens(1);
  queue.wake_one();
  wait_for([this] { return served.load() == 1; });
  EXPECT_EQ(queue.waiters(), 1u);
  add_tokens(1);
  queue.wake_one();
  join_all();
  EXPECT_EQ(served.load(), 2);
}

TEST_F(WaitQueue, WakeAllServesAll) {
  for (int i = 0; i < 3; ++i) start_consumer();
  wait_for([this] { return queue.waiters() == 3; });
  add_tokens(3);
  queue.wake_all();
  join_all();
  EXPECT_EQ(served.load(), 3);
}

TEST_F(WaitQueue, ConditionIsTestedAgain) {
  start_consumer();
  wait_for([this] { return queue.waiters() == 1; });
  queue.wake_all();  // nothing is there yet: it goes back to sleep
  wait_for([this] { return queue.waiters() == 1; });
  EXPECT_EQ(served.load(), 0);
  add_tokens(1);
  queue.wake_all();
  join_all();
}

TEST_F(WaitQueue, PastDeadlineGivesUp) {
  const mutex_guard guard{lock};
  EXPECT_FALSE(queue.wait_until(lock, monotonic_now(), [] { return false; }));
  EXPECT_FALSE(queue.wait_until(lock, monotonic_now() + nanoseconds{100'000}, [] { return false; }));
  EXPECT_FALSE(queue.has_waiters());
  lock.assert_held();
}

TEST_F(WaitQueue, WokenBeforeDeadline) {
  start([this] {
    const mutex_guard guard{lock};
    EXPECT_TRUE(queue.wait_until(lock, nanoseconds::max() - nanoseconds{1}, [this] { return tokens > 0; }));
  });
  wait_for([this] { return queue.waiters() == 1; });
  add_tokens(1);
  queue.wake_all();
  join_all();
}

TEST_F(WaitQueue, TimeoutAmongWakesLosesNobody) {
  // Wakers and deadlines meet: each sleeper returns, and the queue ends empty.
  std::atomic<int> ended{0};
  for (int t = 0; t < 3; ++t)
    start([&] {
      for (int i = 0; i < 300; ++i) {
        const mutex_guard guard{lock};
        (void)queue.wait_until(lock, monotonic_now() + nanoseconds{i * 50}, [] { return false; });
      }
      ended.fetch_add(1);
    });
  while (ended.load() < 3) {
    queue.wake_one();
    queue.wake_all();
  }
  join_all();
  EXPECT_FALSE(queue.has_waiters());
}

TEST_F(WaitQueue, WorksWithSpinLock) {
  int ready = 0;
  start([&] {
    const spin_guard guard{spin};
    queue.wait(spin, [&] { return ready == 1; });
    ready = 2;
  });
  wait_for([this] { return queue.has_waiters(); });
  {
    const spin_guard guard{spin};
    ready = 1;
  }
  queue.wake_all();
  join_all();
  EXPECT_EQ(ready, 2);
}

TEST_F(WaitQueue, PassesWorkBackAndForth) {
  int turn = 0;
  for (int t = 0; t < 2; ++t)
    start([&, t] {
      for (int i = 0; i < 500; ++i) {
        const mutex_guard guard{lock};
        queue.wait(lock, [&] { return turn == t; });
        turn = 1 - t;
        queue.wake_all();
      }
    });
  join_all();
  EXPECT_EQ(turn, 0);
}

class Completion : public threads_fixture {};

TEST_F(Completion, WakesAllWhoWait) {
  completion done;
  std::atomic<int> passed{0};
  for (int t = 0; t < 3; ++t)
    start([&] {
      done.wait();
      passed.fetch_add(1);
    });
  wait_for([&] { return done.has_waiters(); });
  EXPECT_FALSE(done.done());
  done.complete_all();
  join_all();
  EXPECT_EQ(passed.load(), 3);
  EXPECT_TRUE(done.done());
  done.wait();
}

TEST_F(Completion, WhoWaitedMayDestroyIt) {
  for (int round = 0; round < 300; ++round) {
    auto done = std::make_unique<completion>();
    start([&] { done->complete_all(); });
    done->wait();
    done.reset();
    join_all();
  }
}

}  // namespace
}  // namespace xip::test
