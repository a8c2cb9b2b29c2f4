#include <xip/base/assert.h>

#include <gtest/gtest.h>

namespace xip {
namespace {

TEST(AssertDeathTest, NamesPlaceAndExpression) { EXPECT_DEATH(XIP_ASSERT(1 + 1 == 3), "assert_test.cc:[0-9]+: .*1 \\+ 1 == 3"); }

TEST(Assert, HoldsQuietly) {
  int evaluated = 0;
  XIP_ASSERT(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

TEST(AssertDeathTest, DebugAssertOnlyWithLockdep) {
  if (XIP_LOCKDEP)
    EXPECT_DEATH(XIP_DEBUG_ASSERT(false), "false");
  else
    XIP_DEBUG_ASSERT(false);
}

}  // namespace
}  // namespace xip
