#include <cstring>
#include <initializer_list>
#include <set>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include <xip/dev/devices.h>
#include <xip/explore/snapshot_device.h>

namespace xip::explore::test {
namespace {

constexpr std::uint64_t size = (std::uint64_t{1} << 20) + 512;  // the last page is a short one

class SnapshotDevice : public testing::Test {
 protected:
  void SetUp() override {
    std::vector<std::byte> pattern(size);
    for (std::size_t i = 0; i < size; ++i) pattern[i] = static_cast<std::byte>(i * 7 + i / 4096);
    ASSERT_TRUE(device_.write(0, pattern).has_value());
    before_ = pattern;
    ASSERT_TRUE(device_.save().has_value());
  }
  [[nodiscard]] std::vector<std::byte> content(dev::device& d) {
    std::vector<std::byte> bytes(size);
    EXPECT_TRUE(d.read(0, bytes).has_value());
    return bytes;
  }
  [[nodiscard]] std::byte* window(dev::device& d, std::uint64_t offset, std::size_t bytes) {
    return d.direct_access(offset, bytes, dev::access_intent::write)->data;
  }

  snapshot_device device_{size};
  std::vector<std::byte> before_;
  const std::vector<std::byte> new_bytes_ = std::vector<std::byte>(5000, std::byte{0xee});
};

TEST_F(SnapshotDevice, RestoreUndoesEveryKindOfStore) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(device_.write(100, new_bytes_).has_value());
    device_.copy_in(window(device_, 40'000, 5000), new_bytes_.data(), 5000);
    device_.zero(window(device_, 80'000, 100), 100);
    device_.store(window(device_, 81'920, 1), new_bytes_.data(), 1);
    device_.store(window(device_, size - 1, 1), new_bytes_.data(), 1);
    EXPECT_NE(content(device_), before_);
    EXPECT_EQ(device_.pages_touched(), 2u + 2 + 1 + 1 + 1);
    device_.restore();
    EXPECT_EQ(content(device_), before_);
    EXPECT_EQ(device_.pages_touched(), 0u);
  }
}

TEST_F(SnapshotDevice, ChangesTellImagesApart) {
  const std::uint64_t none = device_.changes();
  const auto changes_after = [&](std::initializer_list<std::uint64_t> places) {
    device_.restore();
    for (const std::uint64_t at : places) EXPECT_TRUE(device_.write(at, std::span{new_bytes_}.first(8)).has_value());
    return device_.changes();
  };
  const std::uint64_t one = changes_after({100}), other = changes_after({5000}), both = changes_after({100, 5000});
  EXPECT_EQ((std::set{none, one, other, both, changes_after({108})}).size(), 5u);
  EXPECT_EQ(changes_after({5000, 100}), both);
  EXPECT_EQ(changes_after({100, 100}), one);
  ASSERT_TRUE(device_.write(100, std::span{before_}.subspan(100, 8)).has_value());  // as it was, though it was touched
  EXPECT_EQ(device_.changes(), none);
  device_.restore();
  EXPECT_EQ(device_.changes(), none);
}

TEST_F(SnapshotDevice, SavingAgainMovesTheMark) {
  ASSERT_TRUE(device_.write(0, new_bytes_).has_value());
  ASSERT_TRUE(device_.save().has_value());
  const std::vector<std::byte> second = content(device_);
  ASSERT_TRUE(device_.write(4096, before_).error() == ERANGE);
  ASSERT_TRUE(device_.write(2000, new_bytes_).has_value());
  device_.restore();
  EXPECT_EQ(content(device_), second);
}

TEST_F(SnapshotDevice, DecoratorsOverItStoreThroughIt) {
  const auto faulty = dev::make_faulty(device_);
  faulty->copy_in(window(*faulty, 4096, 100), new_bytes_.data(), 100);
  faulty->store(window(*faulty, 8192, 100), new_bytes_.data(), 100);
  EXPECT_EQ(device_.pages_touched(), 2u);
  device_.restore();
  EXPECT_EQ(content(device_), before_);
}

TEST_F(SnapshotDevice, RefusesWhatAnyDeviceRefuses) {
  std::byte one{};
  EXPECT_EQ(device_.read(size, {&one, 1}).error(), ERANGE);
  EXPECT_EQ(device_.direct_access(size, 1, dev::access_intent::read).error(), ERANGE);
  EXPECT_EQ(device_.direct_access(0, size + 1, dev::access_intent::read).error(), ERANGE);
  EXPECT_TRUE(device_.has_direct_access());
  const dev::device_stats saved = device_.stats();
  EXPECT_TRUE(device_.flush_cache().has_value());
  EXPECT_EQ(device_.stats().flushes, saved.flushes + 1);
  device_.restore();
  EXPECT_EQ(device_.stats().flushes, saved.flushes);
  device_.kill();
  EXPECT_EQ(device_.read(0, {&one, 1}).error(), EIO);
  EXPECT_EQ(device_.direct_access(0, 1, dev::access_intent::read).error(), EIO);
}

}  // namespace
}  // namespace xip::explore::test
