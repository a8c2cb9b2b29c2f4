#include <xip/locks/rw_semaphore.h>

#include <atomic>
#include <string>

#include "locks/threads_fixture.h"

namespace xip::test {
namespace {

constexpr lock_class sem_class{"test_sem"};

class RwSemaphore : public threads_fixture {
 protected:
  // Queues a thread that takes the lock and adds NAME to the log; returns once it waits, as waiter number NTH.
  void queue_writer(const char* name, unsigned nth) {
    start([this, name] {
      const exclusive_guard guard{sem};
      log += name;
    });
    wait_for([this, nth] { return sem.waiters() == nth; });
  }
  // Reports that it is inside, and leaves when told.
  void queue_reader(unsigned nth) {
    start([this] {
      const shared_guard guard{sem};
      inside.fetch_add(1);
      wait_for([this] { return leave.load(); });
      inside.fetch_sub(1);
    });
    wait_for([this, nth] { return sem.waiters() == nth; });
  }

  rw_semaphore<sem_class> sem;
  std::string log XIP_GUARDED_BY(sem);
  std::atomic<int> inside{0};
  std::atomic<bool> leave{false};
};

TEST_F(RwSemaphore, ReadersShare) XIP_NO_THREAD_SAFETY_ANALYSIS {
  sem.lock_shared();
  start([this]() XIP_NO_THREAD_SAFETY_ANALYSIS {
    EXPECT_TRUE(sem.try_lock_shared());
    EXPECT_FALSE(sem.try_lock());
    sem.unlock_shared();
  });
  join_all();
  sem.unlock_shared();
}

TEST_F(RwSemaphore, WriterExcludesAll) XIP_NO_THREAD_SAFETY_ANALYSIS {
  sem.lock();
  start([this]() XIP_NO_THREAD_SAFETY_ANALYSIS {
    EXPECT_FALSE(sem.try_lock_shared());
    EXPECT_FALSE(sem.try_lock());
  });
  join_all();
  sem.unlock();
}

TEST_F(RwSemaphore, ReadersSeeWholeWrites) {
  int first = 0, second = 0;  // equal whenever no writer is inside
  for (int t = 0; t < 2; ++t)
    start([&] {
      for (int i = 0; i < 1500; ++i) {
        const exclusive_guard guard{sem};
        ++first;
        ++second;
      }
    });
  for (int t = 0; t < 3; ++t)
    start([&] {
      for (int i = 0; i < 1500; ++i) {
        const shared_guard guard{sem};
        ASSERT_EQ(first, second);
      }
    });
  join_all();
  EXPECT_EQ(first, 3000);
}

TEST_F(RwSemaphore, WaitingWriterKeepsNewReadersOut) XIP_NO_THREAD_SAFETY_ANALYSIS {
  sem.lock_shared();
  queue_writer("w", 1);
  start([this]() XIP_NO_THREAD_SAFETY_ANALYSIS { EXPECT_FALSE(sem.try_lock_shared()); });
  threads.back().join();
  queue_reader(2);
  EXPECT_EQ(inside.load(), 0);
  leave = true;
  sem.unlock_shared();
  join_all();
  const shared_guard guard{sem};
  EXPECT_EQ(log, "w");
}

TEST_F(RwSemaphore, ReadersUpToNextWriterComeInTogether) XIP_NO_THREAD_SAFETY_ANALYSIS {
  sem.lock();
  queue_reader(1);
  queue_reader(2);
  queue_writer("w", 3);
  queue_reader(4);
  sem.unlock();
  wait_for([this] { return inside.load() == 2; });
  EXPECT_EQ(sem.waiters(), 2u);  // the writer, and the reader behind it
  start([this]() XIP_NO_THREAD_SAFETY_ANALYSIS { EXPECT_FALSE(sem.try_lock_shared()); });
  threads.back().join();
  leave = true;
  join_all();
  const shared_guard guard{sem};
  EXPECT_EQ(log, "w");
}

TEST_F(RwSemaphore, WritersInOrderOfArrival) XIP_NO_THREAD_SAFETY_ANALYSIS {
  sem.lock_shared();
  queue_writer("1", 1);
  queue_writer("2", 2);
  queue_writer("3", 3);
  sem.unlock_shared();
  join_all();
  const shared_guard guard{sem};
  EXPECT_EQ(log, "123");
}

TEST_F(RwSemaphore, OnlyTheLastReaderLetsTheWriterIn) XIP_NO_THREAD_SAFETY_ANALYSIS {
  sem.lock_shared();
  start([this] {
    const shared_guard guard{sem};
    inside.fetch_add(1);
    wait_for([this] { return leave.load(); });
  });
  wait_for([this] { return inside.load() == 1; });
  queue_writer("w", 1);
  sem.unlock_shared();
  EXPECT_EQ(sem.waiters(), 1u);
  leave = true;
  join_all();
  const shared_guard guard{sem};
  EXPECT_EQ(log, "w");
}

TEST_F(RwSemaphore, DowngradeLetsQueuedReadersIn) XIP_NO_THREAD_SAFETY_ANALYSIS {
  sem.lock();
  queue_reader(1);
  queue_reader(2);
  sem.downgrade();
  wait_for([this] { return inside.load() == 2; });
  EXPECT_FALSE(sem.has_waiters());
  leave = true;
  join_all();
  start([this]() XIP_NO_THREAD_SAFETY_ANALYSIS { EXPECT_FALSE(sem.try_lock()); });
  join_all();
  sem.unlock_shared();
}

TEST_F(RwSemaphore, DowngradeDoesNotLetWriterIn) XIP_NO_THREAD_SAFETY_ANALYSIS {
  sem.lock();
  queue_writer("w", 1);
  queue_reader(2);
  sem.downgrade();
  EXPECT_EQ(sem.waiters(), 2u);
  EXPECT_EQ(inside.load(), 0);
  leave = true;
  sem.unlock_shared();
  join_all();
  const shared_guard guard{sem};
  EXPECT_EQ(log, "w");
}

TEST_F(RwSemaphore, GuardTakesOverWhatTryLockTook) {
  for (int i = 0; i < 2; ++i) {
    if (!sem.try_lock()) FAIL();
    const exclusive_guard guard{sem, already_locked};
    log += 'x';
  }
  for (int i = 0; i < 2; ++i) {
    if (!sem.try_lock_shared()) FAIL();
    const shared_guard guard{sem, already_locked};
    EXPECT_EQ(log, "xx");
  }
  const exclusive_guard alone{sem};
}

TEST_F(RwSemaphore, NobodyIsLostInTheCrowd) XIP_NO_THREAD_SAFETY_ANALYSIS {
  // Reads, writes, try-locks and downgrades at once: a lost hand-over would leave a thread asleep for ever.
  int value = 0;
  for (int t = 0; t < 4; ++t)
    start([&, t] {
      for (int i = 0; i < 1000; ++i)
        [&]() XIP_NO_THREAD_SAFETY_ANALYSIS {
          switch ((i + t) % 4) {
            case 0:
              sem.lock();
              ++value;
              sem.unlock();
              break;
            case 1:
              sem.lock();
              ++value;
              sem.downgrade();
              sem.unlock_shared();
              break;
            case 2:
              sem.lock_shared();
              sem.unlock_shared();
              break;
            default:
              if (sem.try_lock_shared()) sem.unlock_shared();
              if (sem.try_lock()) sem.unlock();
          }
        }();
    });
  join_all();
  EXPECT_EQ(value, 2000);
  EXPECT_FALSE(sem.has_waiters());
  EXPECT_TRUE(sem.try_lock());
  sem.unlock();
}

}  // namespace
}  // namespace xip::test
