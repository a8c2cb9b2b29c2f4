// Workloads that fail with fewer calls.
#include <string>

#include <gtest/gtest.h>

#include "crash/fewest_steps.h"

namespace xip::crash::test {
namespace {

workload of(std::string_view text) { return parse_workload("w", text).value(); }

bool has(const workload& w, std::string_view call) { return text_of(w).find(call) != std::string::npos; }

TEST(FewestSteps, AreThoseThatAreNeeded) {
  const workload w = of("mkdir A\ncreat A/a\ncreat b\n---\nwrite A/a 0 1\nfsync A/a\nrename A/a c\nsync\nunlink c\numount\n");
  const auto fails = [](const workload& tried) { return has(tried, "creat A/a") && has(tried, "rename A/a c") && has(tried, "umount"); };
  EXPECT_EQ(text_of(fewest_steps(w, 1000, fails)), "creat A/a\n---\nrename A/a c\numount\n");
}

// Each of two alone can be missing, and not both.
TEST(FewestSteps, AreOfOneOfTwoWays) {
  const workload w = of("creat a\nfsync a\nsync\nmkdir A\n");
  const workload least = fewest_steps(w, 1000, [](const workload& tried) { return has(tried, "fsync a") || has(tried, "sync\n"); });
  EXPECT_EQ(least.steps.size(), 1u);
}

TEST(FewestSteps, AreAllWhereAllAreNeeded) {
  const workload w = of("creat a\n---\nfsync a\nsync\n");
  EXPECT_EQ(fewest_steps(w, 1000, [&](const workload& tried) { return tried == w; }), w);
}

// No more are tried than may be, and none that cannot be run.
TEST(FewestSteps, AreTriedSoManyTimes) {
  std::string text = "cut\n---\nmount\n";
  for (int i = 0; i < 20; ++i) text += "sync\n";
  const workload w = of(text);
  std::uint64_t tried = 0;
  const auto fails = [&](const workload& one) {
    EXPECT_EQ(why_not(one), "");
    ++tried;
    return tried % 3 == 0;
  };
  EXPECT_LT(fewest_steps(w, 7, fails).steps.size(), w.steps.size());
  EXPECT_EQ(tried, 7u);
}

TEST(KindOfFailure, IsTheSameOfOtherCallsAndBytes) {
  const std::string lost = kind_of_failure(
      "like no moment from 'after step 3 (fsync A/foo)' on; at its nearest, 'after step 4 (rename A/foo b)': /b is missing");
  EXPECT_EQ(lost, "is missing");
  EXPECT_EQ(kind_of_failure("after step 1 (sync): /A/x is missing"), lost);
  EXPECT_EQ(kind_of_failure("before the first step: /a is missing"), lost);
  EXPECT_NE(kind_of_failure("after step 1 (sync): /a (inode 12) should not be there"), lost);
  EXPECT_EQ(kind_of_failure("/a has 6f6c646e at byte 16, and since 'after step 1 (write a 0 16)' nothing was there but 6e65 or abcdef"),
            kind_of_failure("/b/c has f5f5f5f5 at byte 0, and since 'before the first step' nothing was there but 00 or fade"));
  EXPECT_EQ(kind_of_failure("e2fsck ended with exit code 4:\nsomething about inode 12\n"), "ended with exit code");
}

}  // namespace
}  // namespace xip::crash::test
