// What may be left of each kind of store at each moment. Histories are made by hand.
#include "crash/words.h"

namespace xip::crash::test {
namespace {

using testing::ElementsAre;

using Medium = Words;

TEST_F(Medium, AStorePastTheCacheMayArriveBeforeTheFenceAndHasArrivedBehindIt) {
  store(0, 1);
  fence();
  store(64, 2);
  fence();
  EXPECT_THAT(found({0, 64}), ElementsAre(meanings{"0 0", "1 0"}, meanings{"1 0", "1 2"}));
}

TEST_F(Medium, WithoutAFenceAnyPartMayHaveArrived) {
  store(0, 1);
  store(64, 2);
  fence();
  EXPECT_THAT(found({0, 64}), ElementsAre(meanings{"0 0", "0 2", "1 0", "1 2"}));
}

TEST_F(Medium, StoresToOneLineArriveInTheirOrder) {
  store(0, 1);
  store(8, 2);
  store(0, 3);
  fence();
  EXPECT_THAT(found({0, 8}), ElementsAre(meanings{"0 0", "1 0", "1 2", "3 2"}));
}

TEST_F(Medium, ASmallerUnitTearsALineAndKeepsNoOrderInIt) {
  options_.unit = 8;
  store(0, 1);
  store(8, 2);
  store(0, 3);
  fence();
  EXPECT_THAT(found({0, 8}), ElementsAre(meanings{"0 0", "0 2", "1 0", "1 2", "3 0", "3 2"}));
}

TEST_F(Medium, AStoreOfSeveralLinesIsTornAtTheUnit) {
  store(0, 1, 16);
  fence();
  EXPECT_THAT(found({0, 56, 64}), ElementsAre(meanings{"0 0 0", "0 0 1", "1 1 0", "1 1 1"}));
  options_.unit = 512;
  EXPECT_THAT(found({0, 56, 64}), ElementsAre(meanings{"0 0 0", "1 1 1"}));
}

TEST_F(Medium, AStoreThatIsNotAlignedIsCutAtTheUnit) {
  store(56, 1, 2);
  fence();
  EXPECT_THAT(found({48, 56, 64, 72}), ElementsAre(meanings{"0 0 0 0", "0 1 0 0", "0 0 1 0", "0 1 1 0"}));
}

TEST_F(Medium, ACachedStoreIsOnItsWayUntilItIsFlushedAndFenced) {
  cached(0, 1);
  fence();
  store(64, 2);
  flush(0);
  fence();
  store(128, 3);
  fence();
  EXPECT_THAT(found({0, 64, 128}),
              ElementsAre(meanings{"0 0 0", "1 0 0"}, meanings{"0 0 0", "0 2 0", "1 0 0", "1 2 0"}, meanings{"1 2 0", "1 2 3"}));
}

TEST_F(Medium, AFlushIsOfWholeCacheLines) {
  cached(8, 1);
  flush(0, 1);
  fence();
  store(64, 2);
  fence();
  EXPECT_THAT(found({8, 64}), ElementsAre(meanings{"0 0", "1 0"}, meanings{"1 0", "1 2"}));
}

TEST_F(Medium, ACachedStoreBehindTheFlushIsNotFlushed) {
  cached(0, 1);
  flush(0);
  cached(0, 2);
  fence();
  store(64, 3);
  fence();
  EXPECT_THAT(found({0, 64}), ElementsAre(meanings{"0 0", "1 0", "2 0"}, meanings{"1 0", "2 0", "1 3", "2 3"}));
}

// With a unit of several cache lines, all that the store touched have to be flushed.
TEST_F(Medium, AStoreOfSeveralCacheLinesIsFlushedLineByLine) {
  options_.unit = 512;
  cached(0, 1, 16);
  flush(0);
  fence();
  store(512, 2);
  flush(64);
  fence();
  store(1024, 3);
  fence();
  EXPECT_THAT(found({0, 64, 512, 1024}), ElementsAre(meanings{"0 0 0 0", "1 1 0 0"}, meanings{"0 0 0 0", "0 0 2 0", "1 1 0 0", "1 1 2 0"},
                                                     meanings{"1 1 2 0", "1 1 2 3"}));
}

TEST_F(Medium, ARequestArrivesWithTheFlushOfTheCacheAndWithNoFence) {
  options_.unit = 512;
  request(0, 1, 128);
  fence();
  request(1024, 2, 64);
  flush_cache();
  request(2048, 3, 64);
  flush_cache();
  EXPECT_THAT(found({0, 512, 1024, 2048}),
              ElementsAre(meanings{"0 0 0 0", "0 1 0 0", "1 0 0 0", "1 1 0 0"},
                          meanings{"0 0 0 0", "0 0 2 0", "0 1 0 0", "0 1 2 0", "1 0 0 0", "1 0 2 0", "1 1 0 0", "1 1 2 0"},
                          meanings{"1 1 2 0", "1 1 2 3"}));
}

TEST_F(Medium, ABlockIsTornAtTheUnitOfTheDevice) {
  options_.unit = 4096;
  request(4096, 1, 512);
  flush_cache();
  EXPECT_THAT(found({4096, 8184}), ElementsAre(meanings{"0 0", "1 1"}));
  options_.unit = 512;
  EXPECT_THAT(found({4096, 8184}), ElementsAre(meanings{"0 0", "0 1", "1 0", "1 1"}));
}

// What was stored to a line before something that has surely arrived has arrived too, or never will.
TEST_F(Medium, WhatArrivesLaterDoesNotBringAnOlderStoreBack) {
  cached(0, 1);
  store(0, 2);
  fence();
  store(64, 3);
  fence();
  EXPECT_THAT(found({0, 64}), ElementsAre(meanings{"0 0", "1 0", "2 0"}, meanings{"2 0", "2 3"}));
}

class MediumOfTwoTasks : public Words {
 protected:
  MediumOfTwoTasks() {
    h_ = history{[this] { return running_; }};
  }
  std::uint32_t running_ = 0;
};

TEST_F(MediumOfTwoTasks, AFenceIsForTheStoresOfItsOwnTask) {
  store(0, 1);
  running_ = 1;
  store(64, 2);
  fence();
  running_ = 0;
  store(128, 3);
  fence();
  store(192, 4);
  fence();
  EXPECT_THAT(found({0, 64, 128, 192}), ElementsAre(meanings{"0 0 0 0", "0 2 0 0", "1 0 0 0", "1 2 0 0"},
                                                    meanings{"0 2 0 0", "0 2 3 0", "1 2 0 0", "1 2 3 0"}, meanings{"1 2 3 0", "1 2 3 4"}));
}

TEST_F(MediumOfTwoTasks, AFlushIsForTheFenceOfWhoFlushes) {
  cached(0, 1);
  running_ = 1;
  flush(0);
  running_ = 0;
  fence();
  store(64, 2);
  running_ = 1;
  fence();
  store(128, 3);
  fence();
  EXPECT_THAT(found({0, 64, 128}), ElementsAre(meanings{"0 0 0", "1 0 0"}, meanings{"0 0 0", "0 2 0", "1 0 0", "1 2 0"},
                                               meanings{"1 0 0", "1 2 0", "1 0 3", "1 2 3"}));
}

TEST_F(MediumOfTwoTasks, WhatTwoTasksHaveFlushedInPartIsFlushedByNeither) {
  options_.unit = 512;
  cached(0, 1, 16);
  flush(0);
  running_ = 1;
  flush(64);
  fence();
  store(512, 2);
  fence();
  EXPECT_THAT(found({0, 512}), ElementsAre(meanings{"0 0", "1 0"}, meanings{"0 0", "0 2", "1 0", "1 2"}));
}

// Says where it was asked: "3 fence, 1 finished, in 'two', last 0".
class position_reader final : public word_reader {
 public:
  using word_reader::word_reader;
  std::string judge(const recovery& found, const position& at) override {
    std::string text = found.meaning + " before " + std::string{event_name(at.before)} + ", " + std::to_string(at.finished) + " finished";
    for (const std::uint32_t slot : at.in_progress) text += ", in " + at.operations[slot].text;
    if (at.last_persistent) text += ", persists " + at.operations[*at.last_persistent].text;
    asked.push_back(text);
    return {};
  }
  std::vector<std::string> asked;
};

TEST_F(Medium, TheJudgeHearsWhatWasGoingOn) {
  h_.begin_operation(7, "one");
  store(0, 1);
  fence();
  h_.end_operation(7, true);
  h_.begin_operation(9, "two");
  h_.end_operation(9);
  h_.begin_operation(8, "three");
  fence();
  flush_cache();
  store(0, 2);
  fence();
  position_reader subject{{0}};
  EXPECT_TRUE(engine().run("words", h_, subject).passed());
  EXPECT_THAT(subject.asked,
              ElementsAre("0 before fence, 0 finished, in one", "1 before fence, 0 finished, in one",
                          "1 before end, 1 finished, persists one", "1 before end, 2 finished, persists one",
                          "1 before fence, 2 finished, in three, persists one", "2 before fence, 2 finished, in three, persists one"));
}

TEST_F(Medium, TheEndIsAMomentToo) {
  store(0, 1);
  EXPECT_THAT(found({0}), ElementsAre(meanings{"0", "1"}));
  EXPECT_EQ(report_.points, 1u);
}

TEST_F(Medium, APartOfTheMomentsIsRunByEachShard) {
  for (std::uint64_t n = 0; n < 7; ++n) {
    store(n * 64, n + 1);
    fence();
  }
  const std::vector<meanings> whole = found({0, 64, 128, 192, 256, 320, 384});
  ASSERT_EQ(whole.size(), 7u);
  std::uint64_t points = 0, states = 0;
  for (std::uint32_t part = 0; part < 3; ++part) {
    options_.part = {part, 3};
    const std::vector<meanings> some = found({0, 64, 128, 192, 256, 320, 384});
    for (std::size_t i = 0; i < some.size(); ++i) EXPECT_EQ(some[i], whole[part + 3 * i]);
    points += report_.points;
    states += report_.states;
  }
  EXPECT_EQ(points, 7u);
  EXPECT_EQ(states, 14u);
}

}  // namespace
}  // namespace xip::crash::test
