// What the page of a crashed workload says.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/crash/page.h>

#include "crash/words.h"

namespace xip::crash::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Page : public Words {
 protected:
  Page() {
    store(0, 1);
    h_.begin_operation(0, "fsync <a>");
    cached(64, 2);
    h_.end_operation(0);
  }
  [[nodiscard]] std::string page(const device_map& device = {}, const crash_report& r = {}) const {
    const workload w{.name = "two", .steps = {{.what = verb::fsync, .path = "<a>"}}};
    return crash_page(w, h_, r, moments_, device, "");
  }
  moment_recorder moments_;
};

TEST_F(Page, SaysWhoseEachStoreIs) {
  const std::string text = page();
  EXPECT_THAT(text, HasSubstr("<title>store: 8 bytes at 0, of no call</title>"));
  EXPECT_THAT(text, HasSubstr("<title>cached store: 8 bytes at 64, of call 1: fsync &lt;a&gt;</title>"));
}

TEST_F(Page, SaysWhatLiesWhereAStoreGoes) {
  const std::string text = page({.name_of = [](std::uint64_t offset) { return offset == 64 ? "inode 12 & more" : "super block"; }});
  EXPECT_THAT(text, HasSubstr("<title>store: 8 bytes at 0 (super block), of no call</title>"));
  EXPECT_THAT(text, HasSubstr("<title>cached store: 8 bytes at 64 (inode 12 &amp; more), of call 1: fsync &lt;a&gt;</title>"));
}

// Nothing that was left out counts as passed.
TEST_F(Page, SaysWhenNotAllStatesWereRun) {
  EXPECT_THAT(page(), HasSubstr("Every state passed."));
  crash_report cut;
  cut.cut.resize(2);
  EXPECT_THAT(page({}, cut), HasSubstr("Every state that was run passed; of 2 moments not all were."));
  EXPECT_THAT(page({}, cut), Not(HasSubstr("Every state passed.")));
}

}  // namespace
}  // namespace xip::crash::test
