#include <xip/locks/spin_lock.h>

#include <atomic>

#include "locks/threads_fixture.h"

namespace xip::test {
namespace {

constexpr lock_class spinning_class{"test_spinning", lock_kind::spinning};

class SpinLock : public threads_fixture {
 protected:
  spin_lock<spinning_class> spin;
};

TEST_F(SpinLock, ExcludesOthers) {
  int counter = 0;
  for (int t = 0; t < 4; ++t)
    start([&] {
      for (int i = 0; i < 2000; ++i) {
        const spin_guard guard{spin};
        ++counter;
      }
    });
  join_all();
  EXPECT_EQ(counter, 8000);
}

TEST_F(SpinLock, TryLockFailsWhileHeld) XIP_NO_THREAD_SAFETY_ANALYSIS {
  std::atomic<bool> tried{false};
  spin.lock();
  start([&] {
    EXPECT_FALSE(spin.try_lock());
    tried = true;
  });
  wait_for([&] { return tried.load(); });
  spin.unlock();
  join_all();
  EXPECT_TRUE(spin.try_lock());
  spin.unlock();
}

TEST_F(SpinLock, TakesFourBytes) { EXPECT_EQ(sizeof(spin), 4u); }

}  // namespace
}  // namespace xip::test
