// The museum's own order: every place of a planted bug is shown, and what is shown can be found again.
#include <bit>
#include <set>
#include <string>

#include <gmock/gmock.h>

#include <xip/base/exhibits.h>

#include "exhibits/museum.h"

namespace xip::exhibits {
namespace {

#if XIP_EXHIBITS

TEST(Museum, NumbersItsExhibitsInOrder) {
  unsigned next = 1;
  std::set<std::string_view> names;
  for (const exhibit& e : all_exhibits()) {
    EXPECT_EQ(e.bug.number, next++);
    EXPECT_TRUE(names.insert(e.bug.name).second) << e.bug.name;
    EXPECT_FALSE(e.what.empty() || e.source.empty()) << e.bug.name;
    EXPECT_TRUE(e.race.starts_with("race/") ? e.bug.workload.empty() : e.race.empty() && !e.bug.workload.empty()) << e.bug.name;
  }
}

TEST(Museum, ShowsEveryPlace) {
  exhibit_set shown;
  for (const exhibit& e : all_exhibits()) shown |= e.bug.places;
  for (unsigned i = 0; i < static_cast<unsigned>(exhibit_place::count); ++i) {
    const auto place = static_cast<exhibit_place>(i);
    EXPECT_TRUE(shown.has(place)) << exhibit_place_name(place);
  }
}

// A place that calls something else is shown by exhibits that say what.
TEST(Museum, BringsAStandInWhereOneIsCalled) {
  for (const exhibit& e : all_exhibits()) {
    const bool calls = e.bug.places.has(exhibit_place::hook_bypassed) || e.bug.places.has(exhibit_place::core_replaced);
    EXPECT_EQ(calls, e.bug.stand_in != nullptr) << e.bug.name;
  }
}

TEST(Museum, FindsByNumberAndByName) {
  ASSERT_NE(find_exhibit("3"), nullptr);
  EXPECT_EQ(find_exhibit("3"), find_exhibit("read-without-lock"));
  EXPECT_EQ(find_bug("3"), &find_exhibit("3")->bug);
  for (const char* unknown : {"", "0", "999", "3x", "read_without_lock"}) EXPECT_EQ(find_exhibit(unknown), nullptr) << unknown;
}

#else

TEST(Museum, IsEmptyInARelease) {
  EXPECT_TRUE(all_exhibits().empty());
  EXPECT_EQ(find_exhibit("1"), nullptr);
  EXPECT_EQ(find_bug("1"), nullptr);
}

#endif

}  // namespace
}  // namespace xip::exhibits
