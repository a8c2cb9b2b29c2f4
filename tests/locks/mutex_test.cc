#include <xip/locks/mutex.h>

#include <memory>
#include <vector>

#include "locks/threads_fixture.h"

namespace xip::test {
namespace {

constexpr lock_class m_class{"test_mutex"};
using test_mutex = mutex<m_class>;

static_assert(sizeof(test_mutex) <= 24);

class Mutex : public threads_fixture {
 protected:
  test_mutex m;
};

TEST_F(Mutex, ExcludesOthers) {
  int counter = 0;
  for (int t = 0; t < 4; ++t)
    start([&] {
      for (int i = 0; i < 2000; ++i) {
        const mutex_guard guard{m};
        ++counter;
      }
    });
  join_all();
  const mutex_guard guard{m};
  EXPECT_EQ(counter, 8000);
}

TEST_F(Mutex, TryLockFailsWhileHeld) XIP_NO_THREAD_SAFETY_ANALYSIS {
  ASSERT_TRUE(m.try_lock());
  start([this]() XIP_NO_THREAD_SAFETY_ANALYSIS { EXPECT_FALSE(m.try_lock()); });
  join_all();
  m.unlock();
  start([this] {
    const bool taken = m.try_lock();
    EXPECT_TRUE(taken);
    if (taken) m.unlock();
  });
  join_all();
}

TEST_F(Mutex, IsHandedOverInOrderOfArrival) XIP_NO_THREAD_SAFETY_ANALYSIS {
  std::vector<int> order;
  m.lock();
  for (int t = 0; t < 3; ++t) {
    start([&, t] {
      const mutex_guard guard{m};
      EXPECT_EQ(current().contended, 1u);
      order.push_back(t);
    });
    wait_for([&] { return m.waiters() == static_cast<unsigned>(t + 1); });
  }
  EXPECT_FALSE(m.try_lock());
  m.unlock();
  join_all();
  const mutex_guard guard{m};
  EXPECT_EQ(order, (std::vector{0, 1, 2}));
}

TEST_F(Mutex, UncontendedDoesNotCount) {
  for (int i = 0; i < 10; ++i) const mutex_guard guard{m};
  EXPECT_EQ(current().contended, 0u);
  EXPECT_FALSE(m.has_waiters());
}

TEST_F(Mutex, LastUserMayDestroyIt) {
  // Whoever brings users to zero under the lock destroys the lock after unlocking; another may still be leaving its unlock.
  struct object {
    test_mutex lock;
    int users XIP_GUARDED_BY(lock) = 2;
  };
  for (int round = 0; round < 500; ++round) {
    auto* shared = new object;
    const auto leave = [shared]() {
      bool last = false;
      {
        const mutex_guard guard{shared->lock};
        last = --shared->users == 0;
      }
      if (last) delete shared;
    };
    start(leave);
    leave();
    join_all();
  }
}

}  // namespace
}  // namespace xip::test
