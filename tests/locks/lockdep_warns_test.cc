// lockdep must warn: each test makes one mistake, in one thread, without a deadlock happening.
#include "locks/lockdep_fixture.h"

namespace xip::test {
namespace {

using enum lockdep_problem;

using LockdepWarns = lockdep_fixture;

template <class Outer, class Inner>
void nest(Outer& outer, Inner& inner) XIP_NO_THREAD_SAFETY_ANALYSIS {
  outer.lock();
  inner.lock();
  inner.unlock();
  outer.unlock();
}

TEST_F(LockdepWarns, TwoLocksInBothOrders) {
  nest(a, b);
  nest(b, a);
  expect_one(inversion, "test_b -> test_a");
}

TEST_F(LockdepWarns, CycleOfThree) {
  nest(a, b);
  nest(b, c);
  nest(c, a);
  expect_one(inversion, "test_a -> test_b -> test_c -> test_a");
}

TEST_F(LockdepWarns, ReportHasShortestCycle) {
  nest(a, b);
  nest(b, c);
  nest(c, d);
  nest(a, rw);
  nest(rw, d);
  nest(d, a);
  expect_one(inversion, "  test_a -> test_rw -> test_d -> test_a\n");
}

TEST_F(LockdepWarns, CycleThroughOuterOfTwoHeldLocks) {
  nest(b, a);
  const mutex_guard outer{a};
  const mutex_guard inner{c};
  const mutex_guard bad{b};
  expect_one(inversion, "test_b -> test_a -> test_b");
}

TEST_F(LockdepWarns, SameMistakeAgainIsReportedAgain) {
  nest(a, b);
  nest(b, a);
  nest(b, a);
  EXPECT_EQ(problems(), (std::vector{inversion, inversion}));
}

TEST_F(LockdepWarns, OrdersOfDifferentThreadsTogether) {
  nest(a, b);
  thread_context other;
  other.name = "other";
  other.deps = &deps;
  const current_scope as_other{other};
  nest(b, a);
  expect_one(inversion, "thread other");
}

TEST_F(LockdepWarns, SharedAgainstShared) {
  rw.lock_shared();
  rw2.lock_shared();
  rw2.unlock_shared();
  rw.unlock_shared();
  rw2.lock_shared();
  rw.lock_shared();
  expect_one(inversion, "test_rw (shared)");
  rw.unlock_shared();
  rw2.unlock_shared();
}

TEST_F(LockdepWarns, SameClassTwice) {
  const mutex_guard one{a};
  const mutex_guard two{a2};
  expect_one(recursion, "test_a");
}

TEST_F(LockdepWarns, ReadRecursion) XIP_NO_THREAD_SAFETY_ANALYSIS {
  rw.lock_shared();
  rw.lock_shared();
  expect_one(recursion, "again");
  rw.unlock_shared();
  rw.unlock_shared();
}

TEST_F(LockdepWarns, TwoReadersOfOneClass) XIP_NO_THREAD_SAFETY_ANALYSIS {
  const shared_guard one{rw};
  const shared_guard two{other_rw};
  expect_one(recursion, "another of its class");
}

TEST_F(LockdepWarns, SameInstanceInAnotherSubclass) XIP_NO_THREAD_SAFETY_ANALYSIS {
  rw.lock_shared(subclass_parent);
  rw.lock_shared(subclass_child);
  expect_one(recursion);
  rw.unlock_shared();
  rw.unlock_shared();
}

TEST_F(LockdepWarns, SameEntryTwice) {
  pseudo_acquire(entry_class, &a, true);
  pseudo_acquire(entry_class, &a, true);
  expect_one(recursion);
}

TEST_F(LockdepWarns, UnlockNotHeld) XIP_NO_THREAD_SAFETY_ANALYSIS {
  a.unlock();
  expect_one(not_held, "gives back test_a");
  EXPECT_TRUE(a.try_lock()) << "the wrong unlock spoiled the lock";
  a.unlock();
}

TEST_F(LockdepWarns, UnlockOfSharedNotHeld) XIP_NO_THREAD_SAFETY_ANALYSIS {
  rw.unlock_shared();
  expect_one(not_held);
  EXPECT_TRUE(rw.try_lock());
  rw.unlock();
}

TEST_F(LockdepWarns, UnlockByAnotherThread) XIP_NO_THREAD_SAFETY_ANALYSIS {
  a.lock();
  thread_context other;
  other.deps = &deps;
  const current_scope as_other{other};
  a.unlock();
  expect_one(not_held);
}

TEST_F(LockdepWarns, AssertionWithoutLock) {
  a.assert_held();
  EXPECT_EQ(problems(), std::vector{not_held});
  rw.assert_held_shared();
  spin.assert_held();
  EXPECT_EQ(problems(), (std::vector{not_held, not_held, not_held}));
}

TEST_F(LockdepWarns, AssertionOfExclusiveUnderShared) {
  const shared_guard guard{rw};
  [&]() XIP_NO_THREAD_SAFETY_ANALYSIS { rw.assert_held(); }();
  expect_one(not_held, "exclusive");
}

TEST_F(LockdepWarns, AssertionWithAnotherInstanceHeld) {
  const exclusive_guard guard{other_rw};
  rw.assert_held();
  expect_one(not_held, "test_rw (exclusive)");
}

TEST_F(LockdepWarns, DowngradeOfShared) XIP_NO_THREAD_SAFETY_ANALYSIS {
  rw.lock();
  rw.downgrade();
  deps.downgrade(me, rw_class, &rw);
  expect_one(not_held, "downgrades");
  rw.unlock_shared();
}

TEST_F(LockdepWarns, InversionWithPseudoLock) {
  pseudo_acquire(handle_class, this, false);
  nest(a, b);
  pseudo_release(handle_class, this);
  const mutex_guard guard{a};
  pseudo_acquire(handle_class, this, false);
  expect_one(inversion, "test_handle -> test_a -> test_handle");
  pseudo_release(handle_class, this);
}

TEST_F(LockdepWarns, WaitingForWhatOneHolds) {
  pseudo_acquire(handle_class, this, false);
  might_wait_for(handle_class);
  expect_one(recursion, "test_handle");
  pseudo_release(handle_class, this);
}

TEST_F(LockdepWarns, WaitingUnderLockThatTheOtherSideTakes) {
  pseudo_acquire(handle_class, this, false);
  {
    const mutex_guard guard{a};
  }
  pseudo_release(handle_class, this);
  const mutex_guard guard{a};
  might_wait_for(handle_class);
  expect_one(inversion, "test_handle -> test_a -> test_handle");
}

TEST_F(LockdepWarns, WaitingIsRememberedAsOrder) {
  {
    const mutex_guard guard{a};
    might_wait_for(handle_class);
  }
  pseudo_acquire(handle_class, this, false);
  const mutex_guard guard{a};
  expect_one(inversion, "test_a -> test_handle -> test_a");
  pseudo_release(handle_class, this);
}

TEST_F(LockdepWarns, MutexUnderSpinLock) {
  const spin_guard guard{spin};
  const mutex_guard inner{a};
  expect_one(blocked_spinning, "test_a under spin_lock test_spin");
}

TEST_F(LockdepWarns, HandleUnderSpinLock) {
  const spin_guard guard{spin};
  pseudo_acquire(handle_class, this, false);
  expect_one(blocked_spinning);
  pseudo_release(handle_class, this);
}

TEST_F(LockdepWarns, WaitUnderSpinLock) {
  wait_queue queue;
  const mutex_guard outer{a};
  const spin_guard guard{spin};
  queue.wait(a, [] { return true; });
  expect_one(blocked_spinning, "test_spin");
}

TEST_F(LockdepWarns, CompletionUnderSpinLock) {
  completion done;
  done.complete_all();
  const spin_guard guard{spin};
  done.wait();
  expect_one(blocked_spinning);
}

TEST_F(LockdepWarns, SpinLocksInBothOrders) {
  nest(spin, spin2);
  nest(spin2, spin);
  expect_one(inversion);
}

TEST_F(LockdepWarns, HeldAtReturn) {
  pseudo_acquire(handle_class, this, false);
  deps.assert_none_held();
  expect_one(held_at_return, "test_handle (shared)");
  deps.assert_none_held();
  EXPECT_EQ(reports.size(), 1u);
}

TEST_F(LockdepWarns, SubclassesInBothOrders) {
  {
    const exclusive_guard parent{rw, subclass_parent};
    const exclusive_guard child{other_rw, subclass_child};
  }
  const exclusive_guard child{rw, subclass_child};
  const exclusive_guard parent{other_rw, subclass_parent};
  expect_one(inversion, "test_rw/1 -> test_rw/2 -> test_rw/1");
}

TEST_F(LockdepWarns, ParentChainReachesAnotherClass) {
  {
    const exclusive_guard parent{rw, subclass_parent};
    const mutex_guard inner{a};
  }
  const mutex_guard outer{a};
  const exclusive_guard parent{other_rw, subclass_parent};
  expect_one(inversion, "test_rw/1");
}

TEST_F(LockdepWarns, NestedEntriesDescending) {
  pseudo_acquire(entry_class, &a, true, 2);
  pseudo_acquire(entry_class, &b, true, 1);
  expect_one(inversion, "ascend");
}

TEST_F(LockdepWarns, WhatATryLockHoldsComesFirst) XIP_NO_THREAD_SAFETY_ANALYSIS {
  ASSERT_TRUE(a.try_lock());
  {
    const mutex_guard inner{b};
  }
  a.unlock();
  const mutex_guard outer{b};
  const mutex_guard inner{a};
  expect_one(inversion, "test_a -> test_b -> test_a");
}

TEST_F(LockdepWarns, TryLockDoesNotExcuseALock) XIP_NO_THREAD_SAFETY_ANALYSIS {
  nest(b, a);
  const mutex_guard outer{a};
  ASSERT_TRUE(b.try_lock());
  b.unlock();
  expect_silence();
  const mutex_guard inner{b};
  expect_one(inversion);
}

TEST_F(LockdepWarns, OrderAfterDowngrade) XIP_NO_THREAD_SAFETY_ANALYSIS {
  rw.lock();
  rw.downgrade();
  {
    const mutex_guard inner{a};
  }
  rw.unlock_shared();
  const mutex_guard outer{a};
  const shared_guard inner{rw};
  expect_one(inversion, "test_rw (shared) taken in");
}

TEST_F(LockdepWarns, TakingAgainAfterWait) {
  // Asleep in a wait, the mutex is dropped; taken again it comes after what was kept.
  wait_queue queue;
  nest(a, b);
  const mutex_guard outer{a};
  const mutex_guard inner{b};
  expect_silence();
  EXPECT_FALSE(queue.wait_until(a, nanoseconds{1}, [] { return false; }));
  expect_one(inversion, "test_a -> test_b -> test_a");
}

TEST_F(LockdepWarns, TooManyHeld) {
  for (std::size_t i = 0; i <= max_held_locks; ++i) pseudo_acquire(entry_class, reinterpret_cast<const void*>(i + 1), true);
  expect_one(too_many);
}

TEST_F(LockdepWarns, TooManyClasses) {
  static constexpr lock_class many[3] = {{"many0", lock_kind::pseudo}, {"many1", lock_kind::pseudo}, {"many2", lock_kind::pseudo}};
  for (const lock_class& cls : many)
    for (unsigned sub = 0; sub < 256; ++sub) {
      if (!reports.empty()) break;
      pseudo_acquire(cls, this, true, static_cast<lock_subclass>(sub));
      if (reports.empty()) pseudo_release(cls, this);
    }
  expect_one(too_many, "many2");
}

TEST_F(LockdepWarns, ReporterIsNotChecked) {
  int heard = 0;
  lockdep talkative{*std::pmr::new_delete_resource(), [&](const lockdep_report&) {
                      if (++heard > 1) return;
                      const mutex_guard guard{a};
                      const mutex_guard mistake{a2};
                    }};
  thread_context other;
  other.deps = &talkative;
  const current_scope as_other{other};
  a.assert_held();
  EXPECT_EQ(heard, 1);
  EXPECT_EQ(other.deps, &talkative);
}

using LockdepWarnsDeathTest = lockdep_fixture;

TEST_F(LockdepWarnsDeathTest, WithoutReporterPrintsAndAborts) {
  const auto mistake = [] {
    lockdep strict{*std::pmr::new_delete_resource()};
    thread_context context;
    context.deps = &strict;
    const current_scope as_other{context};
    mutex<a_class> one;
    one.assert_held();
  };
  EXPECT_DEATH(mistake(), "must hold test_a exclusive here and does not");
}

}  // namespace
}  // namespace xip::test
