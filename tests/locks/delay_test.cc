#include <xip/locks/delay.h>

#include <xip/locks/clock.h>
#include <xip/locks/kthread.h>

#include "locks/lockdep_fixture.h"
#include "locks/toy_scheduler.h"

namespace xip::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Delay, PassesOnTheSchedulersClock) {
  toy_scheduler toy{1};
  toy.run([] {
    delay(seconds{1000});
    EXPECT_EQ(monotonic_now(), seconds{1000});
    delay(milliseconds{5});
  });
  EXPECT_EQ(toy.now, seconds{1000} + milliseconds{5});
  EXPECT_EQ(toy.trace, (std::vector<std::string>{"0 wait delay", "0 wait delay"}));
}

TEST(Delay, OfNothingIsNoWait) {
  toy_scheduler toy{1};
  toy.run([] {
    delay(nanoseconds::zero());
    delay(nanoseconds{-1});
  });
  EXPECT_TRUE(toy.trace.empty());
  EXPECT_EQ(toy.blocked, 0);
}

TEST(Delay, LetsOthersRunMeanwhile) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    std::string order;
    toy_scheduler toy{seed};
    toy.run([&] {
      auto other = kthread::run("other", *std::pmr::new_delete_resource(), [&] {
        delay(milliseconds{1});
        order += "other ";
      });
      ASSERT_TRUE(other.has_value());
      delay(milliseconds{2});
      order += "first";
    });
    EXPECT_EQ(order, "other first") << "seed " << seed;
  }
}

TEST(Delay, OnTheHostEndsAfterItsSpan) {
  const nanoseconds before = monotonic_now();
  delay(nanoseconds{1});
  EXPECT_GT(monotonic_now(), before);
}

using DelayChecked = lockdep_fixture;

TEST_F(DelayChecked, UnderASpinningLockIsAMistake) {
  const spin_guard guard{spin};
  delay(nanoseconds{1});
  expect_one(lockdep_problem::blocked_spinning);
}

TEST_F(DelayChecked, UnderASleepingLockIsNone) {
  const mutex_guard guard{a};
  delay(nanoseconds{1});
  expect_silence();
}

}  // namespace
}  // namespace xip::test
