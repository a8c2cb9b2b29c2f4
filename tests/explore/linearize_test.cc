// Histories that the oracle must accept, and those it must refuse.
#include <cerrno>
#include <initializer_list>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/explore/linearize.h>

namespace xip::explore::test {
namespace {

using testing::HasSubstr;
using call = file_call;

constexpr std::uint32_t block = 8;

// Two tasks, "a" and "b". A call is begun and answered by hand, so that calls can overlap as they like.
class Linearize : public testing::Test {
 protected:
  struct begun {
    file_history& history;
    file_operation& o;
    void answers(std::uint64_t answer) const { history.answer(o, 0, answer); }
    void fails(int error) const { history.answer(o, error, 0); }
    void reads(std::string_view text) const {
      for (const char c : text) o.bytes.push_back(static_cast<std::byte>(c));
      answers(text.size());
    }
    void done() const { answers(o.bytes.size()); }
  };

  [[nodiscard]] begun begin(std::uint32_t task, call what, std::uint64_t offset = 0, std::uint64_t length = 0) {
    return {history_, history_.invoke(task, what, offset, length)};
  }
  [[nodiscard]] begun begin(std::uint32_t task, call what, std::uint64_t offset, std::string_view text) {
    const begun b = begin(task, what, offset, text.size());
    for (const char c : text) b.o.bytes.push_back(static_cast<std::byte>(c));
    return b;
  }
  void store(std::uint32_t task, std::uint64_t offset, std::string_view text) { begin(task, call::write, offset, text).done(); }
  void load(std::uint32_t task, std::uint64_t offset, std::uint64_t length, std::string_view text) {
    begin(task, call::read, offset, length).reads(text);
  }
  [[nodiscard]] std::string verdict() const {
    const auto order = linearize(history_, block, {"a", "b"});
    return order ? "fine" : order.error();
  }
  void expect_refused(const char* why) const { EXPECT_THAT(verdict(), HasSubstr(why)); }

  file_history history_{2};
};

TEST_F(Linearize, AcceptsNothing) { EXPECT_EQ(verdict(), "fine"); }

TEST_F(Linearize, AcceptsCallsOneAfterTheOther) {
  load(0, 0, 10, "");
  store(0, 0, "abcdef");
  load(1, 1, 3, "bcd");
  load(1, 4, 10, "ef");
  begin(0, call::truncate, 2).answers(0);
  load(1, 0, 10, "ab");
  begin(1, call::truncate, 4).answers(0);
  load(0, 0, 10, std::string_view{"ab\0\0", 4});
  begin(0, call::append, 0, "xy").done();
  load(0, 0, 10, std::string_view{"ab\0\0xy", 6});
  begin(0, call::allocate, 4, 6).answers(0);
  begin(0, call::size).answers(10);
  begin(0, call::allocate_keep_size, 4, 60).answers(0);
  begin(0, call::size).answers(10);
  EXPECT_EQ(verdict(), "fine");
}

TEST_F(Linearize, AcceptsAnOverlappingReadBeforeAndAfterAWrite) {
  for (const char* seen : {"old!", "new!"}) {
    history_.clear();
    store(0, 0, "old!");
    const begun write = begin(0, call::write, 0, "new!");
    load(1, 0, 4, seen);
    write.done();
    EXPECT_EQ(verdict(), "fine") << seen;
  }
}

TEST_F(Linearize, RefusesATornRead) {
  store(0, 0, "old!");
  const begun write = begin(0, call::write, 0, "new!");
  load(1, 0, 4, "neld");
  write.done();
  expect_refused("no order of the calls explains their answers");
}

TEST_F(Linearize, RefusesAReadThatMissesWhatWasAnsweredBefore) {
  store(0, 0, "old!");
  store(0, 0, "new!");
  load(1, 0, 4, "old!");
  expect_refused("at 0 the file has 0x6e, not 0x6f");
}

TEST_F(Linearize, RefusesTwoReadsThatSeeTwoWritesInDifferentOrders) {
  store(0, 0, "....");
  const begun one = begin(0, call::write, 0, "1111");
  const begun two = begin(1, call::write, 0, "2222");
  load(0, 0, 4, "1111");
  load(1, 0, 4, "2222");
  load(0, 0, 4, "1111");
  one.done();
  two.done();
  expect_refused("no order");
}

TEST_F(Linearize, RefusesAReadThatGoesBack) {
  store(0, 0, "old!");
  const begun write = begin(0, call::write, 0, "new!");
  load(1, 0, 4, "new!");
  load(1, 0, 4, "old!");
  write.done();
  expect_refused("no order");
}

TEST_F(Linearize, RefusesALostAppend) {
  const begun one = begin(0, call::append, 0, "11");
  const begun two = begin(1, call::append, 0, "22");
  one.done();
  two.done();
  load(0, 0, 10, "22");
  expect_refused("there are 4, not 2");
}

TEST_F(Linearize, AcceptsAppendsInEitherOrder) {
  for (const char* both : {"1122", "2211"}) {
    history_.clear();
    const begun one = begin(0, call::append, 0, "11");
    const begun two = begin(1, call::append, 0, "22");
    one.done();
    two.done();
    load(0, 0, 10, both);
    EXPECT_EQ(verdict(), "fine") << both;
  }
}

TEST_F(Linearize, RefusesACountBetweenTwoSizes) {
  store(0, 0, "12345678");
  const begun cut = begin(0, call::truncate, 2);
  load(1, 0, 8, "12345");
  cut.answers(0);
  expect_refused("no order");
}

TEST_F(Linearize, RefusesBytesThatATruncateTookAway) {
  store(0, 0, "12345678");
  begin(0, call::truncate, 2).answers(0);
  begin(0, call::truncate, 8).answers(0);
  load(1, 0, 8, "12345678");
  expect_refused("at 2 the file has 0x00, not 0x33");
}

TEST_F(Linearize, TakesAShortWriteForWhatItWrote) {
  begin(0, call::write, 0, "12345678").answers(3);
  load(1, 0, 8, "123");
  EXPECT_EQ(verdict(), "fine");
  begin(0, call::write, 0, "abc").answers(4);
  expect_refused("at most 3 bytes, not 4");
}

TEST_F(Linearize, AFailedChangeChangesNothing) {
  store(0, 0, "1234");
  begin(0, call::append, 0, "5678").fails(ENOSPC);
  load(1, 0, 8, "1234");
  EXPECT_EQ(verdict(), "fine");
  begin(0, call::read, 0, 4).fails(EIO);
  expect_refused("it must not fail");
}

TEST_F(Linearize, ACallWithoutAnAnswerMayHaveHappened) {
  for (const char* seen : {"old!", "new!"}) {
    history_.clear();
    store(0, 0, "old!");
    static_cast<void>(begin(0, call::write, 0, "new!"));
    load(1, 0, 4, seen);
    EXPECT_EQ(verdict(), "fine") << seen;
  }
  load(1, 0, 4, "odd!");
  expect_refused("no order");
}

TEST_F(Linearize, SizesMayBeSeenToGrowInAPreallocation) {
  const begun allocation = begin(0, call::allocate, 0, 100);
  begin(1, call::size).answers(40);
  begin(1, call::size).answers(60);
  allocation.answers(0);
  begin(1, call::size).answers(100);
  EXPECT_EQ(verdict(), "fine");
}

TEST_F(Linearize, RefusesSizesThatNoPreallocationExplains) {
  begin(1, call::size).answers(40);
  const begun allocation = begin(0, call::allocate, 0, 100);
  allocation.answers(0);
  expect_refused("the size is 0, not 40");
  history_.clear();
  const begun other = begin(0, call::allocate, 0, 100);
  begin(1, call::size).answers(60);
  begin(1, call::size).answers(40);
  other.answers(0);
  expect_refused("no order");
}

TEST_F(Linearize, KnowsWhereDataIs) {
  store(0, 8, "12");  // the second block of eight bytes
  begin(0, call::allocate, 16, 20).answers(0);
  begin(0, call::seek_data, 0).answers(8);
  begin(0, call::seek_data, 9).answers(9);
  begin(0, call::seek_data, 16).fails(ENXIO);
  begin(0, call::seek_hole, 0).answers(0);
  begin(0, call::seek_hole, 10).answers(16);
  begin(0, call::seek_hole, 36).fails(ENXIO);
  begin(0, call::truncate, 12).answers(0);
  begin(0, call::seek_hole, 8).answers(12);
  EXPECT_EQ(verdict(), "fine");
  begin(0, call::seek_hole, 0).answers(8);
  expect_refused("it is at 0, not 8");
}

TEST_F(Linearize, RefusesASeekThatFindsNothing) {
  store(0, 0, "12");
  begin(0, call::seek_data, 0).fails(ENXIO);
  expect_refused("it is at 0");
}

TEST_F(Linearize, GoesBackToWhatWasSaved) {
  store(0, 0, "1234");
  history_.save();
  store(0, 0, "5678");
  history_.restore();
  load(1, 0, 4, "1234");
  EXPECT_EQ(verdict(), "fine");
  EXPECT_EQ(history_.all().size(), 2u);
}

TEST_F(Linearize, TellsTheStory) {
  store(0, 0, "old!");
  const begun write = begin(0, call::write, 0, "new!");
  load(1, 0, 4, "neld");
  write.done();
  EXPECT_EQ(verdict(),
            "no order of the calls explains their answers. As far as one gets:\n"
            "  a            0-1   write 0, 4 bytes: 4\n"
            "  a            2-5   write 0, 4 bytes: 4\n"
            "and then none of these:\n"
            "  b            3-4   read 0, 4 bytes: 4 (at 2 the file has 0x77, not 0x6c)");
}

// Many that overlap, in the worst order: memory of visited states is what keeps this short.
TEST_F(Linearize, OfManyOverlappingCallsRefusesInTime) {
  std::vector<begun> writes;
  for (int i = 0; i < 14; ++i) writes.push_back(begin(0, call::write, 0, "same"));
  load(1, 0, 4, "oops");
  for (const begun& w : writes) w.done();
  expect_refused("no order");
}

TEST_F(Linearize, RefusesToJudgeMoreThanItCan) {
  std::vector<begun> all;
  for (int i = 0; i < 65; ++i) all.push_back(begin(0, call::truncate, 0));
  for (const begun& b : all) b.answers(0);
  expect_refused("more than 64 calls overlap");
}

}  // namespace
}  // namespace xip::explore::test
