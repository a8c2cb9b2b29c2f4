// What a loss of power leaves: each kind of store arrives when its turn has come, and not before.
#include <array>
#include <functional>
#include <utility>

#include <gmock/gmock.h>

#include <xip/base/points.h>
#include <xip/dev/devices.h>
#include <xip/explore/explore.h>

#include "crash/medium_model.h"

namespace xip::crash::test {
namespace {

constexpr std::uint64_t size = 16384;

// Runs BODIES as tasks in every order, on a device that is recorded.
class MediumModel : public testing::Test {
 protected:
  explore::snapshot_device memory_{size};
  medium_model medium_{size};
  std::unique_ptr<dev::device> device_ = dev::make_recording(memory_, medium_);
  explore::program program_;

  [[nodiscard]] explore::report explore(std::vector<std::function<void()>> bodies) {
    program_.name = "medium";
    program_.state = {&memory_, &medium_};
    program_.setup = [this](explore::scheduler& s) { medium_.report_to(s); };
    for (std::size_t i = 0; i < bodies.size(); ++i) program_.tasks.push_back({"task" + std::to_string(i), bodies[i]});
    return explore::explore(program_, {.strategies = {{.bound = 2}}});
  }
  [[nodiscard]] std::byte* at(std::uint64_t offset) { return device_->direct_access(offset, 8, dev::access_intent::write).value().data; }
  void copy_in(std::uint64_t offset, unsigned char what) {
    const std::array<unsigned char, 8> bytes{what, what, what, what, what, what, what, what};
    device_->copy_in(at(offset), bytes.data(), bytes.size());
  }
  void store(std::uint64_t offset, unsigned char what) {
    const std::array<unsigned char, 8> bytes{what, what, what, what, what, what, what, what};
    device_->store(at(offset), bytes.data(), bytes.size());
  }
  void request(std::uint64_t offset, unsigned char what) {
    std::array<std::byte, 8> bytes;
    bytes.fill(std::byte{what});
    expect(device_->write(offset, bytes).has_value(), "the request");
  }
  [[nodiscard]] unsigned found(std::uint64_t offset, arrival a = arrival::nothing) const {
    return static_cast<unsigned>(medium_.image(a)[offset]);
  }
  static void expect(bool holds, const char* what) {
    if (!holds) throw explore::failure{what};
  }
};

std::string text_of(const explore::report& r) { return r.failures.empty() ? "" : r.failures.front().first.text; }

TEST_F(MediumModel, AStoreThatBypassesTheCacheArrivesWithTheFence) {
  EXPECT_EQ(text_of(explore({[this] {
              copy_in(0, 1);
              expect(found(0) == 0, "not before");
              expect(found(0, arrival::everything) == 1, "it may");
              device_->drain();
              expect(found(0) == 1, "then");
            }})),
            "");
}

TEST_F(MediumModel, AnOrdinaryStoreNeedsAFlushToo) {
  EXPECT_EQ(text_of(explore({[this] {
              store(0, 1);
              store(64, 2);
              device_->flush(at(0), 8);
              device_->drain();
              expect(found(0) == 1, "what was flushed is there");
              expect(found(64) == 0, "what was not is in the cache");
            }})),
            "");
}

TEST_F(MediumModel, AFenceIsForTheStoresOfItsOwnTask) {
  const auto task = [this](std::uint64_t offset, unsigned char what) {
    copy_in(offset, what);
    XIP_POINT(user_point);  // where the other task may come between
    device_->drain();
    expect(found(offset) == what, "one's own store has arrived");
  };
  // In some order the second task fences while the first one's store is on its way.
  bool seen = false;
  const auto r = explore({[&] { task(0, 1); },
                          [&] {
                            copy_in(64, 2);
                            device_->drain();
                            seen = seen || (found(0) == 0 && found(0, arrival::everything) == 1);
                          }});
  EXPECT_EQ(text_of(r), "");
  EXPECT_TRUE(seen);
}

TEST_F(MediumModel, ARequestArrivesWithTheFlushOfAnybody) {
  EXPECT_EQ(text_of(explore({[this] {
              request(0, 1);
              device_->drain();
              expect(found(0) == 0, "a fence is not enough");
              copy_in(64, 2);
              expect(device_->flush_cache().has_value(), "the flush");
              expect(found(0) == 1, "the flush is");
              expect(found(64) == 0, "a store on its way is not the device's");
            }})),
            "");
}

TEST_F(MediumModel, MetadataMayComeBeforeData) {
  medium_.tell_data([](std::uint64_t offset) { return offset >= 8192; });
  EXPECT_EQ(text_of(explore({[this] {
              request(8192, 1);
              expect(!medium_.metadata_pending(), "data is no metadata");
              request(0, 2);
              expect(medium_.metadata_pending(), "metadata is on its way");
              expect(found(0, arrival::metadata) == 2 && found(8192, arrival::metadata) == 0, "the one without the other");
              expect(medium_.identity(arrival::metadata) != medium_.identity(arrival::everything), "they are different states");
              expect(medium_.identity(arrival::metadata) != medium_.identity(arrival::nothing), "and so are these");
            }})),
            "");
}

TEST_F(MediumModel, CallsBeforeItTakesEffect) {
  std::vector<std::pair<bool, unsigned>> calls;
  medium_.on_power_point([&](bool flush) { calls.emplace_back(flush, found(0)); });
  EXPECT_EQ(text_of(explore({[&] {
              calls.clear();
              copy_in(0, 1);
              device_->drain();
              expect(device_->flush_cache().has_value(), "the flush");
              expect(calls == std::vector<std::pair<bool, unsigned>>{{false, 0}, {true, 1}}, "a fence, then a flush");
            }})),
            "");
}

TEST_F(MediumModel, GoesBack) {
  int runs = 0;
  const auto r = explore({[&] {
                            ++runs;
                            expect(found(0) == 0 && found(0, arrival::everything) == 0, "each schedule begins with an empty medium");
                            copy_in(0, 1);
                            XIP_POINT(user_point);
                            device_->drain();
                          },
                          [this] { copy_in(64, 1); }});
  EXPECT_EQ(text_of(r), "");
  EXPECT_GT(runs, 2);
}

// The processor that flushes a line waits for it with its own fence, whoever has stored there.
TEST_F(MediumModel, AFlushIsForTheFenceOfWhoFlushes) {
  bool seen = false;
  const auto r = explore({[this] {
                            store(0, 1);
                            XIP_POINT(user_point);
                            device_->drain();
                          },
                          [&] {
                            if (found(0, arrival::everything) != 1) return;
                            device_->flush(at(0), 8);
                            expect(found(0) == 0, "a flush alone is not enough");
                            device_->drain();
                            expect(found(0) == 1, "the fence of who has flushed is");
                            seen = true;
                          }});
  EXPECT_EQ(text_of(r), "");
  EXPECT_TRUE(seen);
}

TEST_F(MediumModel, AnOlderStoreDoesNotOvertakeANewerOne) {
  bool newer = false, seen = false;
  program_.check = [&] {
    if (std::exchange(newer, false)) expect(found(0) == 2, "the older store does not come back with its own fence");
  };
  const auto r = explore({[this] {
                            copy_in(0, 1);
                            XIP_POINT(user_point);
                            device_->drain();
                          },
                          [&] {
                            if (found(0) != 0 || found(0, arrival::everything) != 1) return;
                            copy_in(0, 2);
                            device_->drain();
                            expect(found(0) == 2 && found(0, arrival::everything) == 2, "the newer one");
                            newer = seen = true;
                          }});
  EXPECT_EQ(text_of(r), "");
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace xip::crash::test
