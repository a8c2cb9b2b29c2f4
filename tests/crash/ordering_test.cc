// Where something waits for the medium, and what is left of a device that does not.
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <xip/crash/history.h>
#include <xip/dev/devices.h>

#include "crash/image.h"
#include "crash/ordered_device.h"

namespace xip::crash::test {
namespace {

using testing::ElementsAre;

class Waits : public testing::Test {
 protected:
  void pass(point p) { points_.on_point(p, 0, 0, 0); }
  // Everything that can be waited with, once.
  void wait(dev::device& d) {
    const auto window = d.direct_access(0, 64, dev::access_intent::write);
    d.flush(window->data, 8);
    d.drain();
    EXPECT_TRUE(d.flush_cache());
  }
  [[nodiscard]] ordered_device device(std::optional<ordering_site> without = {}) { return {*recorded_, points_.passed(), seen_, without}; }
  [[nodiscard]] std::vector<event_kind> done() const {
    std::vector<event_kind> kinds;
    for (const event& e : history_.events()) kinds.push_back(e.kind);
    return kinds;
  }
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> all;
    for (const ordering_site& s : seen_) all.insert(name_of(s));
    return all;
  }

  history history_;
  std::unique_ptr<dev::device> memory_ = dev::open_memory(4096).value(), recorded_ = dev::make_recording(*memory_, history_);
  kernel_listener points_{{}, nullptr};
  std::set<ordering_site> seen_;
};

TEST_F(Waits, AreNamedByTheWayThatLedThere) {
  ordered_device d = device();
  wait(d);
  pass(point::jbd2_freeze);
  wait(d);
  pass(point::jbd2_before_flush);
  pass(point::dev_flush);  // of the device itself
  wait(d);
  EXPECT_THAT(names(), ElementsAre("fence behind jbd2_freeze", "fence behind jbd2_freeze, jbd2_before_flush", "fence behind nothing",
                                   "flush behind jbd2_freeze", "flush behind jbd2_freeze, jbd2_before_flush", "flush behind nothing",
                                   "flush of lines behind jbd2_freeze", "flush of lines behind jbd2_freeze, jbd2_before_flush",
                                   "flush of lines behind nothing"));
}

TEST_F(Waits, AreCountedFromThePointOn) {
  ordered_device d = device();
  pass(point::buffer_write);
  pass(point::jbd2_freeze);
  pass(point::jbd2_freeze);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(d.flush_cache());
  pass(point::jbd2_freeze);
  EXPECT_TRUE(d.flush_cache());
  EXPECT_THAT(names(), ElementsAre("flush 2 behind buffer_write, jbd2_freeze", "flush 3 behind buffer_write, jbd2_freeze",
                                   "flush 4 behind buffer_write, jbd2_freeze", "flush behind buffer_write, jbd2_freeze"));
}

// A call begins with no point passed.
TEST_F(Waits, DoNotKnowTheCallBefore) {
  ordered_device d = device();
  pass(point::jbd2_freeze);
  points_.forget();
  EXPECT_TRUE(d.flush_cache());
  EXPECT_THAT(names(), ElementsAre("flush behind nothing"));
}

TEST_F(Waits, AreFlushesAloneOnADiskWithoutWindows) {
  image bytes{4096};
  image_device disk{bytes, false, nullptr};
  const auto recorded = dev::make_recording(disk, history_);
  ordered_device d{*recorded, points_.passed(), seen_, {}};
  d.drain();
  EXPECT_TRUE(d.flush_cache());
  EXPECT_THAT(names(), ElementsAre("flush behind nothing"));
}

TEST_F(Waits, AreLeftOutOneByOne) {
  using kind = event_kind;
  using wait_with = ordering_site::wait;
  struct expected {
    wait_with by;
    std::vector<event_kind> left;
  };
  for (const auto& [by, left] :
       {expected{wait_with::lines, {kind::fence, kind::flush_cache}}, expected{wait_with::fence, {kind::flush, kind::flush_cache}},
        expected{wait_with::flush, {kind::flush, kind::fence}}}) {
    history_.clear();
    points_.forget();
    ordered_device d = device(ordering_site{.by = by, .behind = point::jbd2_freeze});
    pass(point::jbd2_freeze);
    wait(d);
    EXPECT_EQ(done(), left);
    pass(point::jbd2_before_flush);
    wait(d);
    EXPECT_EQ(done().size(), left.size() + 3) << "elsewhere all are made";
  }
}

}  // namespace
}  // namespace xip::crash::test
