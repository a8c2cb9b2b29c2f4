#include <xip/base/result.h>

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace xip {
namespace {

result<int> half(int n) {
  if (n % 2 != 0) return fail(EINVAL);
  return n / 2;
}
result<int> quarter(int n) {
  const int h = XIP_TRY(half(n));
  return XIP_TRY(half(h));
}
result<> check_even(int n) {
  (void)XIP_TRY(half(n));
  return {};
}
result<std::unique_ptr<int>> boxed(int n) { return std::make_unique<int>(n); }
result<int> unboxed(int n) {
  const std::unique_ptr<int> box = XIP_TRY(boxed(n));
  return *box;
}

TEST(Error, HasLinuxNameAndMessage) {
  EXPECT_EQ(error{ENOSPC}.name(), "ENOSPC");
  EXPECT_EQ(error{ENOSPC}.message(), "No space left on device");
  EXPECT_EQ(error{EUCLEAN}.name(), "EUCLEAN");
}

TEST(Error, UnknownNumberHasPlaceholder) {
  EXPECT_EQ(error{4711}.name(), "E?");
  EXPECT_FALSE(error{4711}.message().empty());
}

TEST(Result, TryUnwrapsValue) { EXPECT_EQ(quarter(8).value(), 2); }

TEST(Result, TryReturnsFirstError) {
  EXPECT_EQ(quarter(7).error(), EINVAL);
  EXPECT_EQ(quarter(6).error(), EINVAL);
  EXPECT_EQ(check_even(3).error(), error{EINVAL});
  EXPECT_TRUE(check_even(4).has_value());
}

TEST(Result, TryMovesValueOut) { EXPECT_EQ(unboxed(5).value(), 5); }

}  // namespace
}  // namespace xip
