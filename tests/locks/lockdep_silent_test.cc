// lockdep must stay silent: all of this is in order.
#include "locks/lockdep_fixture.h"

namespace xip::test {
namespace {

using LockdepSilent = lockdep_fixture;

TEST_F(LockdepSilent, SameOrderManyTimes) {
  for (int i = 0; i < 1000; ++i) {
    const mutex_guard one{a};
    const shared_guard two{rw};
    const spin_guard three{spin};
  }
  expect_silence();
  EXPECT_EQ(deps.edges().size(), 3u);
}

TEST_F(LockdepSilent, ChainAndItsShortcuts) {
  {
    const mutex_guard one{a};
    const mutex_guard two{b};
    const mutex_guard three{c};
  }
  {
    const mutex_guard one{a};
    const mutex_guard three{c};
  }
  const mutex_guard two{b};
  const mutex_guard three{c};
  expect_silence();
}

TEST_F(LockdepSilent, OneAfterTheOther) {
  {
    const mutex_guard one{a};
  }
  {
    const mutex_guard two{b};
  }
  {
    const mutex_guard one{a};
  }
  expect_silence();
  EXPECT_TRUE(deps.edges().empty());
}

TEST_F(LockdepSilent, GivenBackOutOfOrder) XIP_NO_THREAD_SAFETY_ANALYSIS {
  a.lock();
  b.lock();
  a.unlock();
  c.lock();
  b.unlock();
  c.unlock();
  b.lock();
  c.lock();
  c.unlock();
  b.unlock();
  deps.assert_none_held();
  expect_silence();
}

TEST_F(LockdepSilent, ParentThenChild) {
  const exclusive_guard parent{rw, subclass_parent};
  const exclusive_guard child{other_rw, subclass_child};
  expect_silence();
}

TEST_F(LockdepSilent, ParentThenOrdinary) {
  const exclusive_guard parent{rw, subclass_parent};
  const exclusive_guard file{other_rw};
  expect_silence();
}

TEST_F(LockdepSilent, TryLockAgainstTheOrder) XIP_NO_THREAD_SAFETY_ANALYSIS {
  {
    const mutex_guard one{a};
    const mutex_guard two{b};
  }
  const mutex_guard two{b};
  ASSERT_TRUE(a.try_lock());
  expect_silence();
  a.unlock();
}

TEST_F(LockdepSilent, TryLockOfSameClass) XIP_NO_THREAD_SAFETY_ANALYSIS {
  const mutex_guard one{a};
  ASSERT_TRUE(a2.try_lock());
  expect_silence();
  a2.unlock();
}

TEST_F(LockdepSilent, TryLockUnderSpinLock) XIP_NO_THREAD_SAFETY_ANALYSIS {
  const spin_guard guard{spin};
  ASSERT_TRUE(a.try_lock());
  ASSERT_TRUE(rw.try_lock_shared());
  expect_silence();
  rw.unlock_shared();
  a.unlock();
}

TEST_F(LockdepSilent, FailedTryLockHoldsNothing) XIP_NO_THREAD_SAFETY_ANALYSIS {
  thread_context other;
  other.deps = &deps;
  a.lock();
  {
    const current_scope as_other{other};
    EXPECT_FALSE(a.try_lock());
    deps.assert_none_held();
  }
  a.unlock();
  expect_silence();
}

TEST_F(LockdepSilent, Downgrade) XIP_NO_THREAD_SAFETY_ANALYSIS {
  rw.lock();
  rw.assert_held();
  rw.downgrade();
  rw.assert_held_shared();
  rw.unlock_shared();
  deps.assert_none_held();
  expect_silence();
}

TEST_F(LockdepSilent, ExclusiveCountsAsShared) {
  const exclusive_guard guard{rw};
  rw.assert_held_shared();
  expect_silence();
}

TEST_F(LockdepSilent, NestedEntriesAscending) {
  for (std::uintptr_t i = 1; i <= 8; ++i) pseudo_acquire(entry_class, reinterpret_cast<const void*>(i), true);
  pseudo_acquire(entry_class, this, true, 1);
  expect_silence();
  pseudo_release(entry_class, this);
  for (std::uintptr_t i = 1; i <= 8; ++i) pseudo_release(entry_class, reinterpret_cast<const void*>(i));
  deps.assert_none_held();
  expect_silence();
}

TEST_F(LockdepSilent, PseudoLockHeld) {
  EXPECT_FALSE(pseudo_held(handle_class, this));
  pseudo_acquire(handle_class, this, false);
  EXPECT_TRUE(pseudo_held(handle_class, this));
  EXPECT_FALSE(pseudo_held(handle_class, &a));
  pseudo_release(handle_class, this);
  EXPECT_FALSE(pseudo_held(handle_class, this));
  expect_silence();
}

TEST_F(LockdepSilent, MightWaitHoldsNothing) {
  {
    const mutex_guard guard{a};
    might_wait_for(handle_class);
  }
  might_wait_for(handle_class);
  deps.assert_none_held();
  expect_silence();
}

TEST_F(LockdepSilent, WaitDropsItsOwnSpinLock) {
  wait_queue queue;
  const spin_guard guard{spin};
  queue.wait(spin, [] { return true; });
  EXPECT_FALSE(queue.wait_until(spin, nanoseconds{1}, [] { return false; }));
  spin.assert_held();
  expect_silence();
}

TEST_F(LockdepSilent, WaitKeepsTheSubclass) {
  wait_queue queue;
  {
    const mutex_guard outer{a, subclass_parent};
    const mutex_guard inner{a2, subclass_child};
    EXPECT_FALSE(queue.wait_until(a2, nanoseconds{1}, [] { return false; }));
  }
  expect_silence();
  ASSERT_EQ(deps.edges().size(), 1u);
  EXPECT_EQ(deps.edges()[0].after, "test_a/2");
}

TEST_F(LockdepSilent, SpinLockUnderMutex) {
  const mutex_guard outer{a};
  const spin_guard inner{spin};
  expect_silence();
}

TEST_F(LockdepSilent, TwoInstancesDoNotKnowEachOther) {
  {
    const mutex_guard one{a};
    const mutex_guard two{b};
  }
  std::vector<lockdep_report> others;
  lockdep second{*std::pmr::new_delete_resource(), [&](const lockdep_report& r) { others.push_back(r); }};
  thread_context other;
  other.deps = &second;
  const current_scope as_other{other};
  {
    const mutex_guard two{b};
    const mutex_guard one{a};
  }
  expect_silence();
  EXPECT_TRUE(others.empty());
}

TEST_F(LockdepSilent, UncheckedThread) {
  thread_context other;
  const current_scope as_other{other};
  {
    const mutex_guard one{a};
    const mutex_guard two{b};
  }
  {
    const mutex_guard two{b};
    const mutex_guard one{a};
  }
  c.assert_held();
  expect_silence();
  EXPECT_TRUE(deps.edges().empty());
}

}  // namespace
}  // namespace xip::test
