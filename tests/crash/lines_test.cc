// An image that goes from state to state, its hash, and what a recovery is heard to read.
#include <gmock/gmock.h>

#include "crash/lines.h"
#include "crash/reads.h"
#include "crash/words.h"
#include "explore/random.h"

namespace xip::crash::test {
namespace {

using testing::ElementsAre;
using testing::FieldsAre;
using testing::IsEmpty;

std::string bytes_of(const image& i) { return {reinterpret_cast<const char*>(i.bytes().data()), i.bytes().size()}; }

class Lines : public Words {
 protected:
  image image_{device_bytes};
  lined_image lines_{image_};
};

TEST_F(Lines, AreTheAlignedStretchesThatWereStoredTo) {
  store(56, 1, 2);
  store(4096, 1, 1);
  store(0, 1, 1);
  lines_.load(h_, 64);
  ASSERT_EQ(lines_.lines().size(), 3u);
  EXPECT_THAT(lines_.lines()[0], FieldsAre(0, 64, 0, 2));
  EXPECT_THAT(lines_.lines()[1], FieldsAre(64, 64, 2, 1));
  EXPECT_THAT(lines_.lines()[2], FieldsAre(4096, 64, 3, 1));
  EXPECT_EQ(lines_.stores_of(0).size(), 2u);
  EXPECT_EQ(lines_.stores_of(2)[0].number, 1u);
  EXPECT_EQ(lines_.first_in_page(0), 0u);
  EXPECT_EQ(lines_.first_in_page(1), 2u);
  EXPECT_EQ(lines_.first_in_page(2), 3u);
}

TEST_F(Lines, HaveTheBytesAfterSomeOfTheStores) {
  store(0, 1);
  store(8, 2);
  store(0, 3);
  const std::string start = bytes_of(image_);
  lines_.load(h_, 64);
  EXPECT_EQ(bytes_of(image_), start);
  const auto words = [&](std::uint32_t arrived) {
    lines_.set(0, arrived);
    std::array<std::uint64_t, 2> found{};
    std::memcpy(found.data(), image_.data(), sizeof found);
    return found;
  };
  EXPECT_THAT(words(3), ElementsAre(3, 2));
  EXPECT_THAT(words(1), ElementsAre(1, 0));
  EXPECT_THAT(words(2), ElementsAre(1, 2));
  EXPECT_THAT(words(0), ElementsAre(0, 0));
  lines_.set(0, 3);
  lines_.unload();
  EXPECT_EQ(bytes_of(image_), start);
}

// Any two ways to the same bytes; and other bytes have another hash.
TEST_F(Lines, TheHashIsThatOfTheBytes) {
  explore::random_numbers chance{1, 1};
  for (int n = 0; n < 40; ++n) store(chance.below(32) * 8, chance.below(2), 1 + chance.below(10));
  for (const std::uint32_t unit : {8, 64, 512}) {
    lines_.load(h_, unit);
    std::map<std::string, std::uint64_t> hashes;
    std::set<std::uint64_t> unique;
    for (int n = 0; n < 500; ++n) {
      const auto line = static_cast<std::uint32_t>(chance.below(lines_.lines().size()));
      lines_.set(line, static_cast<std::uint32_t>(chance.below(lines_.lines()[line].stores + 1)));
      const auto [known, fresh] = hashes.emplace(bytes_of(image_), lines_.hash());
      EXPECT_EQ(known->second, lines_.hash());
      unique.insert(lines_.hash());
    }
    EXPECT_EQ(unique.size(), hashes.size());
    EXPECT_LT(unique.size(), 500u);
    lines_.unload();
    EXPECT_EQ(lines_.hash(), 0u);
  }
}

TEST_F(Lines, AreTheSameToWhoReadsWhatDoesNotChange) {
  store(0, 1);
  store(8, 2);
  lines_.load(h_, 64);
  EXPECT_FALSE(lines_.same(0, 0, 1, 0xff));
  EXPECT_TRUE(lines_.same(0, 0, 1, 0xff00));
  EXPECT_TRUE(lines_.same(0, 0, 1, 0xfe));  // the word's first byte alone is another one
  EXPECT_FALSE(lines_.same(0, 0, 2, 0xff00));
  EXPECT_FALSE(lines_.same(0, 2, 0, 0xff00));
}

TEST(Granules, AreWholeOrTouched) {
  EXPECT_EQ(granules_touching(0, 64, 1), ~std::uint64_t{0});
  EXPECT_EQ(granules_within(0, 64, 1), ~std::uint64_t{0});
  EXPECT_EQ(granules_touching(3, 4, 1), 8u);
  EXPECT_EQ(granules_touching(7, 17, 8), 7u);
  EXPECT_EQ(granules_within(7, 17, 8), 2u);
  EXPECT_EQ(granules_within(1, 7, 8), 0u);
  EXPECT_EQ(granules_touching(4095, 4096, 64), std::uint64_t{1} << 63);
}

TEST(Image, TakesBackWhatWasChanged) {
  image i{device_bytes};
  explore::random_numbers chance{1, 2};
  for (std::size_t n = 0; n < device_bytes; ++n) i.data()[n] = static_cast<std::byte>(chance.next());
  const std::string start = bytes_of(i);
  image_device device{i, true, nullptr};
  for (int round = 0; round < 3; ++round) {
    const auto window = device.direct_access(0, device_bytes, dev::access_intent::write);
    ASSERT_TRUE(window);
    device.zero(window->data + 500, 600);
    device.copy_in(window->data + 510, start.data(), 5);
    device.store(window->data + device_bytes - 1, start.data() + 1, 1);
    EXPECT_TRUE(device.write(4096, std::as_bytes(std::span{start}).first(2048)));
    EXPECT_NE(bytes_of(i), start);
    i.undo();
    EXPECT_EQ(bytes_of(i), start);
  }
}

class Reads : public Lines {
 protected:
  void SetUp() override {
    store(0, 1, 16);
    store(4096 + 64, 1, 8);
    lines_.load(h_, 64);
    heard_.load(lines_);
    heard_.start();
  }
  reads_heard heard_;
  image_device device_{image_, true, &heard_};

  void read(std::uint64_t offset, std::size_t bytes) {
    std::vector<std::byte> to(bytes);
    EXPECT_TRUE(device_.read(offset, to));
  }
};

TEST_F(Reads, AreHeardInTheirOrder) {
  read(4090, 200);
  read(8, 8);
  read(2, 1);
  read(1000, 3000);
  EXPECT_THAT(heard_.reads(), ElementsAre(FieldsAre(2, ~std::uint64_t{0}), FieldsAre(0, 0xff04)));
  heard_.start();
  EXPECT_THAT(heard_.reads(), IsEmpty());
  std::array<std::byte, 4> to;
  device_.copy_out(to.data(), device_.direct_access(62, 4, dev::access_intent::read)->data, 4);
  EXPECT_THAT(heard_.reads(), ElementsAre(FieldsAre(0, std::uint64_t{3} << 62), FieldsAre(1, 3)));
  heard_.stop();
  read(4160, 64);
  EXPECT_EQ(heard_.reads().size(), 2u);
}

TEST_F(Reads, OfWhatTheRecoveryItselfHasWrittenDoNotCount) {
  const std::array<std::byte, 8> eight{};
  EXPECT_TRUE(device_.write(8, eight));
  read(8, 8);
  EXPECT_THAT(heard_.reads(), IsEmpty());
  read(0, 24);
  EXPECT_THAT(heard_.reads(), ElementsAre(FieldsAre(0, 0xff00ff)));
  heard_.start();
  read(8, 8);
  EXPECT_THAT(heard_.reads(), ElementsAre(FieldsAre(0, 0xff00)));
}

// Where a granule is several bytes, one that was written in part is still read.
TEST_F(Reads, OfAGranuleThatWasWrittenInPartCount) {
  lines_.unload();
  lines_.load(h_, 512);
  heard_.load(lines_);
  heard_.start();
  const std::array<std::byte, 12> twelve{};
  EXPECT_TRUE(device_.write(8, twelve));
  read(8, 16);
  EXPECT_THAT(heard_.reads(), ElementsAre(FieldsAre(0, 4)));
}

}  // namespace
}  // namespace xip::crash::test
