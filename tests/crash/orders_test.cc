// Calls of two tasks: what they are made of, and in which orders they may have taken effect.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crash/calls.h"
#include "crash/orders.h"

namespace xip::crash::test {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

step step_of(std::string_view text) { return parse_workload("test", text).value().steps.front(); }

std::vector<std::string> texts_of(std::string_view workload) {
  std::vector<std::string> texts;
  for (const task_call& c : calls_of(parse_workload("test", workload).value())) texts.push_back(c.text + " = " + text_of(c.what));
  return texts;
}

TEST(Calls, AreOneEachWhereAFileIsOpen) {
  EXPECT_THAT(texts_of("task 1:\nopen 1 a append\nwrite @1 0 5\nfsync @1\nclose 1\ntask 2:\nrename a b\n"),
              ElementsAre("task 1: open 1 a append = open 1 a append", "task 1: write @1 0 5 = write @1 0 5", "task 1: fsync @1 = fsync @1",
                          "task 1: close 1 = close 1", "task 2: rename a b = rename a b"));
}

TEST(Calls, OpenAndCloseWhatIsNamedByItsPath) {
  EXPECT_THAT(texts_of("task 1:\nsync\ntask 2:\nwrite a 3 5 dsync\nfsync a\n"),
              ElementsAre("task 1: sync = sync", "task 2: write a 3 5 dsync: open = open 100 a dsync",
                          "task 2: write a 3 5 dsync = write @100 3 5", "task 2: write a 3 5 dsync: close = close 100",
                          "task 2: fsync a: open = open 100 a read", "task 2: fsync a = fsync @100", "task 2: fsync a: close = close 100"));
}

TEST(Calls, LeadPathsElsewhere) {
  EXPECT_TRUE(leads_elsewhere(step_of("rename A B"), step_of("chmod A/foo 600")));
  EXPECT_TRUE(leads_elsewhere(step_of("rename C A/foo"), step_of("chmod A/foo 600")));
  EXPECT_TRUE(leads_elsewhere(step_of("unlink A/foo"), step_of("link A/foo A/bar")));
  EXPECT_FALSE(leads_elsewhere(step_of("rename A/fo B"), step_of("chmod A/foo 600")));
  EXPECT_FALSE(leads_elsewhere(step_of("creat A"), step_of("chmod A 600")));
}

TEST(Calls, ChangeNamesThatOthersAskFor) {
  EXPECT_TRUE(changes_name_of(step_of("unlink A/foo"), step_of("open 1 A/foo")));
  EXPECT_TRUE(changes_name_of(step_of("mkdir A"), step_of("creat A/foo")));
  EXPECT_TRUE(changes_name_of(step_of("open 1 A/foo creat"), step_of("chmod A/foo 600")));
  EXPECT_FALSE(changes_name_of(step_of("open 1 A/foo"), step_of("chmod A/foo 600")));
  EXPECT_FALSE(changes_name_of(step_of("unlink A/foo"), step_of("creat A/bar")));
}

// Four calls, the first two task 0's, at the times given.
std::vector<call_order> orders(const std::vector<step_time>& times, std::size_t most = 100, bool commuting = false) {
  std::vector<timed_call> calls;
  for (std::uint32_t i = 0; i < times.size(); ++i) calls.push_back({i, i < 2 ? 0u : 1u, times[i]});
  return orders_of(calls, [commuting](std::uint32_t a, std::uint32_t b) { return commuting && (a == 1 || b == 1); }, most);
}

TEST(Orders, AreOneWhereNothingOverlaps) { EXPECT_THAT(orders({{0, 1}, {6, 7}, {2, 3}, {4, 5}}), ElementsAre(call_order{0, 2, 3, 1})); }

TEST(Orders, AreAllThatTheTimesAllow) {
  EXPECT_THAT(orders({{0, 1}, {2, 7}, {3, 4}, {5, 6}}),
              UnorderedElementsAre(call_order{0, 1, 2, 3}, call_order{0, 2, 1, 3}, call_order{0, 2, 3, 1}));
}

TEST(Orders, OfNeighboursThatCommuteAreOne) {
  EXPECT_THAT(orders({{0, 1}, {2, 7}, {3, 4}, {5, 6}}, 100, true), ElementsAre(call_order{0, 1, 2, 3}));
}

TEST(Orders, AreNotLookedForWhereThereAreTooMany) {
  EXPECT_EQ(orders({{0, 4}, {5, 9}, {1, 6}, {7, 8}}, 2).size(), 0u);
  EXPECT_GE(orders({{0, 4}, {5, 9}, {1, 6}, {7, 8}}).size(), 3u);
}

}  // namespace
}  // namespace xip::crash::test
