// What the engine tells: reports, tokens, minimised states, what it left out, and mistakes in what it was given.
#include <atomic>
#include <stdexcept>

#include <gmock/gmock.h>

#include "crash/toy_journal.h"
#include "crash/words.h"

namespace xip::crash::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Engine : public Words {
 protected:
  // Eight lines at once, of which 0 and 64 must arrive together.
  void two_that_belong_together() {
    h_.begin_operation(0, "append");
    for (std::uint64_t n = 0; n < 8; ++n) store(n * 64, n + 1);
    fence();
    h_.end_operation(0);
  }
};

class pair_reader final : public word_reader {
 public:
  pair_reader() : word_reader{{0, 64, 128}} {}
  std::string judge(const recovery& found, const position&) override {
    const bool first = found.meaning[0] != '0', second = found.meaning[2] != '0';
    return first == second ? "" : first ? "the first alone" : "the second alone";
  }
};

TEST_F(Engine, StopsAtTheFirstFailureOrCollectsThoseThatDiffer) {
  two_that_belong_together();
  pair_reader subject;
  const crash_report first = engine().run("pair", h_, subject);
  EXPECT_FALSE(first.passed());
  EXPECT_THAT(first.failures, SizeIs(1));
  EXPECT_TRUE(first.stopped);
  EXPECT_THAT(first.cut, IsEmpty());
  options_.max_failures = 100;
  const crash_report all = engine().run("pair", h_, subject);
  EXPECT_THAT(all.failures, SizeIs(2));
  EXPECT_FALSE(all.stopped);
  EXPECT_EQ(all.states, 8u + 1u);
  EXPECT_EQ(all.failing_states, 4u);
  EXPECT_EQ(all.meanings, 8u);
}

// Fails where some lines have arrived, but for the first; or where the first has, and too few of the others.
class first_reader final : public word_reader {
 public:
  first_reader(std::size_t others, bool first) : word_reader{{0, 64, 128, 192, 256, 320, 384, 448}}, others_{others}, first_{first} {}
  std::string judge(const recovery& found, const position&) override {
    const auto arrived = static_cast<std::size_t>(std::ranges::count_if(found.meaning, [](char c) { return c > '0'; }));
    if (first_) return found.meaning[0] != '0' && arrived >= 3 && arrived < others_ ? "the first" : "";
    return found.meaning[0] == '0' && arrived >= others_ ? "without the first" : "";
  }

 private:
  std::size_t others_;
  bool first_;
};

TEST_F(Engine, MinimisesToTheFewestThatAreMissingOrHaveArrived) {
  two_that_belong_together();
  options_.exhaustive = true;
  const auto run = [this](first_reader subject) { return engine().run("first", h_, subject).failures.at(0); };
  const found_failure without = run({5, false});
  EXPECT_EQ(without.first.missing, 3u);
  EXPECT_EQ(without.minimised.missing, 1u);
  EXPECT_EQ(without.minimised.arrived, 7u);
  EXPECT_FALSE(without.minimised.lines[0].stores[0].arrived);
  EXPECT_EQ(without.minimised.failure, "without the first");
  const found_failure with = run({6, true});
  EXPECT_EQ(with.minimised.arrived, 3u);
  options_.minimise_runs = 0;
  EXPECT_EQ(run({5, false}).minimised.token, without.first.token);
}

// What is asked at a moment is how many operations have ended.
class repeating_reader final : public word_reader {
 public:
  using word_reader::word_reader;
  std::uint64_t question(const position& at) override { return at.finished + 1; }
};

TEST_F(Engine, LooksOnceAtMomentsThatTwoHistoriesShare) {
  crash_engine e{std::vector<std::byte>(device_bytes), options_};
  repeating_reader subject{{0, 64}};
  store(0, 1);
  fence();
  store(64, 2);
  const crash_report first = e.run("first", h_, subject);
  EXPECT_EQ(first.repeated_points, 0u);
  EXPECT_EQ(first.states, 4u);
  EXPECT_EQ(e.run("again", h_, subject).repeated_points, first.points);
  fence();
  store(0, 3);
  const crash_report longer = e.run("longer", h_, subject);
  EXPECT_EQ(longer.repeated_points, 2u);
  EXPECT_EQ(longer.states, 2u);
}

TEST_F(Engine, LooksAgainAtMomentsThatFailOrAreAskedSomethingElse) {
  crash_engine e{std::vector<std::byte>(device_bytes), options_};
  repeating_reader subject{{0}};
  subject.wrong = {"1"};
  store(0, 1);
  EXPECT_FALSE(e.run("fails", h_, subject).passed());
  EXPECT_FALSE(e.run("fails", h_, subject).passed());
  subject.wrong = {};
  EXPECT_EQ(e.run("passes", h_, subject).repeated_points, 0u);
  history later;
  const std::uint64_t word = 2;
  later.on_store(0, std::as_bytes(std::span{&word, 1}), false);
  EXPECT_EQ(e.run("other bytes", later, subject).repeated_points, 0u);
}

TEST_F(Engine, TellsWhoseTheLinesAre) {
  options_.name_of = [](std::uint64_t offset) { return "line " + std::to_string(offset / 64); };
  options_.classify = [](std::uint64_t offset) { return line_class{offset == 64 ? line_kind::data : line_kind::metadata}; };
  h_.begin_operation(3, "append");
  store(0, 1);
  cached(8, 2);
  store(64, 3);
  fence();
  h_.end_operation(3);
  word_reader subject{{0, 8, 64}};
  subject.wrong = {"1 0 3"};
  const crash_report r = engine().run("two lines", h_, subject);
  ASSERT_THAT(r.failures, SizeIs(1));
  const state_report& s = r.failures[0].first;
  EXPECT_EQ(s.failure, "wrong: 1 0 3");
  EXPECT_EQ(s.meaning, "1 0 3");
  EXPECT_EQ(s.before, event_kind::fence);
  EXPECT_EQ(s.event, 4u);
  EXPECT_THAT(s.in_progress, ElementsAre("append"));
  ASSERT_THAT(s.lines, SizeIs(2));
  EXPECT_EQ(s.lines[0].name, "line 0");
  EXPECT_EQ(s.lines[1].kind, line_kind::data);
  ASSERT_THAT(s.lines[0].stores, SizeIs(2));
  const flying_store& first = s.lines[0].stores[0];
  const flying_store& second = s.lines[0].stores[1];
  EXPECT_TRUE(first.arrived);
  EXPECT_FALSE(second.arrived);
  EXPECT_EQ(second.kind, event_kind::cached_store);
  EXPECT_EQ(second.offset, 8u);
  EXPECT_EQ(second.bytes, 8u);
  EXPECT_EQ(second.operation, 0u);
  EXPECT_EQ(s.arrived, 2u);
  EXPECT_EQ(s.missing, 1u);
}

TEST_F(Engine, ATokenNamesTheStateExactly) {
  two_that_belong_together();
  store(8, 100);
  store(16, 101);
  word_reader subject{{0, 8, 16, 64, 128, 448}};
  subject.wrong = {"1 100 0 2 3 8"};
  crash_engine e = engine();
  const crash_report r = e.run("words", h_, subject);
  ASSERT_THAT(r.failures, SizeIs(1));
  const state_report& failed = r.failures[0].first;
  const auto again = e.replay("words", h_, subject, failed.token);
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->failure, failed.failure);
  EXPECT_EQ(again->meaning, failed.meaning);
  EXPECT_EQ(again->token, failed.token);
  std::uint64_t word = 0;
  std::memcpy(&word, e.replayed_image().data() + 8, 8);
  EXPECT_EQ(word, 100u);
}

TEST_F(Engine, EachStateHasATokenOfItsOwn) {
  two_that_belong_together();
  word_reader subject{{0, 64, 128, 192, 256, 320, 384, 448}};
  const crash_report all = engine().run("words", h_, subject);
  EXPECT_EQ(all.meanings, 256u);
  options_.max_failures = 1000;
  class all_wrong final : public word_reader {
   public:
    using word_reader::word_reader;
    std::string judge(const recovery& found, const position&) override { return found.meaning; }
  } wrong{{0, 64, 128, 192, 256, 320, 384, 448}};
  options_.minimise_runs = 0;
  crash_engine e = engine();
  const crash_report r = e.run("words", h_, wrong);
  ASSERT_THAT(r.failures, SizeIs(256));
  std::set<std::string> tokens;
  for (const found_failure& f : r.failures) {
    tokens.insert(f.first.token);
    EXPECT_EQ(e.replay("words", h_, wrong, f.first.token)->meaning, f.first.meaning);
  }
  EXPECT_THAT(tokens, SizeIs(256));
}

TEST_F(Engine, RefusesATokenOfSomethingElse) {
  two_that_belong_together();
  pair_reader subject;
  const crash_report r = engine().run("pair", h_, subject);
  const std::string token = r.failures.at(0).first.token;
  const auto why = [&](std::string_view name, const std::string& text) {
    const auto answer = engine().replay(name, h_, subject, text);
    return answer ? "" : answer.error();
  };
  EXPECT_EQ(why("pair", token), "");
  EXPECT_THAT(why("pear", token), HasSubstr("of program 'pair', this is 'pear'"));
  EXPECT_THAT(why("pair", "x1" + token.substr(2)), HasSubstr("of version 'x1'"));
  EXPECT_THAT(why("pair", token.substr(0, token.size() - 1)), HasSubstr("damaged"));
  options_.unit = 8;
  EXPECT_THAT(why("pair", token), HasSubstr("another atomic unit"));
  options_.unit = 64;
  store(0, 9);
  EXPECT_THAT(why("pair", token), HasSubstr("wrote elsewhere"));
}

// A time that is stored again may have changed by then, or not.
TEST_F(Engine, ATokenDoesNotDependOnWhatIsWritten) {
  for (const std::uint64_t time : {1, 2}) {
    h_.clear();
    store(0, 1);
    fence();
    store(0, time);
    store(64, 2);
    store(128, 3);
    fence();
    word_reader subject{{64, 128}};
    subject.wrong = {"0 3"};
    const crash_report r = engine().run("times", h_, subject);
    ASSERT_THAT(r.failures, SizeIs(1));
    const std::string token = r.failures[0].first.token;
    for (const std::uint64_t other : {1, 2}) {
      h_.clear();
      store(0, 1);
      fence();
      store(0, other);
      store(64, 2);
      store(128, 3);
      fence();
      const auto again = engine().replay("times", h_, subject, token);
      ASSERT_TRUE(again) << again.error();
      EXPECT_EQ(again->meaning, "0 3");
    }
  }
}

TEST_F(Engine, SaysWhatItLeftOut) {
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t n = 0; n < 20; ++n) {
    store(n * 64, 1);
    offsets.push_back(n * 64);
  }
  fence();
  options_.max_states = 100;
  options_.samples = 10;
  word_reader subject{offsets};
  const crash_report r = engine().run("wide", h_, subject);
  EXPECT_FALSE(r.complete());
  ASSERT_THAT(r.cut, SizeIs(1));
  EXPECT_EQ(r.cut[0].lines, 20u);
  EXPECT_DOUBLE_EQ(r.cut[0].log2_states, 20);
  EXPECT_EQ(r.cut[0].states, 210u);
  EXPECT_EQ(r.cut[0].patterns_left, 4u + 3 * 20 + 2 * 20 - 100);
  EXPECT_FALSE(r.cut[0].grouped);
  word_reader three{{0, 64, 128}};
  EXPECT_TRUE(engine().run("wide", h_, three).complete());
}

// What is not run is not known to pass, whoever comes by again.
TEST_F(Engine, LeavesOutMomentsWithTooManyLines) {
  class asked_again final : public word_reader {
   public:
    using word_reader::word_reader;
    std::uint64_t question(const position&) override { return 1; }
  } subject{{0, 64, 128}};
  store(0, 1);
  fence();
  for (std::uint64_t n = 0; n < 3; ++n) store(n * 64, 2);
  fence();
  crash_engine e{std::vector<std::byte>(device_bytes), options_};
  e.options().max_lines = 2;
  const crash_report few = e.run("few", h_, subject);
  EXPECT_EQ(few.states, 2u);
  ASSERT_THAT(few.cut, SizeIs(1));
  EXPECT_EQ(few.cut[0].lines, 3u);
  EXPECT_EQ(few.cut[0].states, 0u);
  e.options().max_lines = 3;
  const crash_report all = e.run("all", h_, subject);
  EXPECT_EQ(all.states, 8u);
  EXPECT_EQ(all.repeated_points, 1u);
  EXPECT_TRUE(all.complete());
}

// Each line alone, each line missing, and the first ones up to each: whatever else was left out.
TEST_F(Engine, RunsLikelyStatesWhereThereAreTooMany) {
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t n = 0; n < 20; ++n) {
    store(n * 64, 1);
    offsets.push_back(n * 64);
  }
  fence();
  options_.max_states = 200;
  options_.samples = 0;
  const meanings seen = found(offsets).at(0);
  const auto words = [](auto&& arrived) {
    std::string text;
    for (int n = 0; n < 20; ++n) text += std::string{n == 0 ? "" : " "} + (arrived(n) ? "1" : "0");
    return text;
  };
  for (int line = 0; line < 20; ++line) {
    EXPECT_TRUE(seen.contains(words([&](int n) { return n == line; })));
    EXPECT_TRUE(seen.contains(words([&](int n) { return n != line; })));
    EXPECT_TRUE(seen.contains(words([&](int n) { return n <= line; })));
  }
}

// It is reported to have been stopped, and nothing else.
TEST_F(Engine, AMomentThatWasStoppedIsNotCut) {
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t n = 0; n < 20; ++n) {
    store(n * 64, 1);
    offsets.push_back(n * 64);
  }
  options_.max_states = 200;
  word_reader subject{offsets};
  subject.wrong = {"1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"};
  const crash_report r = engine().run("wide", h_, subject);
  EXPECT_GT(r.states, 200u);
  EXPECT_TRUE(r.stopped);
  EXPECT_THAT(r.cut, IsEmpty());
}

TEST_F(Engine, OnlyMetadataIsALikelyState) {
  options_.classify = [](std::uint64_t offset) { return line_class{offset < 1024 ? line_kind::metadata : line_kind::data}; };
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t n = 0; n < 10; ++n) {
    store(n * 64, 1);
    store(1024 + n * 64, 2);
    offsets.insert(offsets.end(), {n * 64, 1024 + n * 64});
  }
  options_.max_states = 1000;
  options_.samples = 0;
  const meanings seen = found(offsets).at(0);
  EXPECT_TRUE(seen.contains("1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0"));
}

TEST_F(Engine, ReportsGroupsWithoutAChecksumAsLeftOut) {
  store(0, 1, 160);
  fence();
  word_reader subject{{0, 64, 128, 1216}};
  options_.classify = [](std::uint64_t) { return line_class{line_kind::data, 1}; };
  const crash_report data = engine().run("data", h_, subject);
  ASSERT_THAT(data.cut, SizeIs(1));
  EXPECT_TRUE(data.cut[0].grouped);
  EXPECT_EQ(data.states, 4u);
  options_.classify = [](std::uint64_t) { return line_class{line_kind::checked, 1}; };
  const crash_report checked = engine().run("checked", h_, subject);
  EXPECT_TRUE(checked.complete());
  EXPECT_THAT(found({0, 64, 128, 1216}), ElementsAre(meanings{"0 0 0 0", "1 1 1 1", "1 0 0 0", "0 1 1 1"}));
}

// A group that was whole between two rounds of stores may be found so.
TEST_F(Engine, AGroupMayHaveArrivedUpToAnyStore) {
  options_.classify = [](std::uint64_t) { return line_class{line_kind::checked, 1}; };
  for (const std::uint64_t round : {1, 2})
    for (std::uint64_t n = 0; n < 3; ++n) store(n * 64, round);
  fence();
  const meanings seen = found({0, 64, 128}).at(0);
  EXPECT_TRUE(seen.contains("1 1 1"));
  EXPECT_TRUE(seen.contains("2 2 1"));
}

TEST_F(Engine, ALineThatStaysWhatItWasIsNoChoice) {
  store(0, 0);
  store(64, 1);
  fence();
  EXPECT_THAT(found({0, 64}), ElementsAre(meanings{"0 0", "0 1"}));
  EXPECT_EQ(report_.max_lines, 1u);
  EXPECT_EQ(report_.states, 2u);
}

TEST_F(Engine, BranchesOnlyOnWhatIsRead) {
  for (std::uint64_t n = 0; n < 20; ++n) store(n * 64, 1);
  fence();
  EXPECT_THAT(found({0, 64}), ElementsAre(meanings{"0 0", "0 1", "1 0", "1 1"}));
  EXPECT_EQ(report_.states, 4u);
  EXPECT_TRUE(report_.complete());
}

TEST_F(Engine, RecoversEachImageOnceAndAsksMoreOfEachMeaningOnce) {
  class counting final : public word_reader {
   public:
    using word_reader::word_reader;
    std::string probe(dev::device& device, const recovery& found) override {
      probed.push_back(found.meaning);
      EXPECT_TRUE(device.write(0, std::as_bytes(std::span{"scribble"})));
      return {};
    }
    std::string inspect(std::span<const std::byte> image, std::uint64_t) override {
      EXPECT_EQ(image.size(), device_bytes);
      ++inspected;
      return {};
    }
    std::vector<std::string> probed;
    int inspected = 0;
  } subject{{0}};
  options_.exhaustive = true;
  store(0, 1);
  store(64, 1);
  fence();
  store(128, 1);
  fence();
  const crash_report r = engine().run("count", h_, subject);
  EXPECT_EQ(r.states, 4u + 2u);
  EXPECT_EQ(r.unique_images, 5u);
  EXPECT_EQ(subject.recoveries, 5);
  EXPECT_EQ(subject.inspected, 5);
  EXPECT_THAT(subject.probed, ElementsAre("0", "1"));
}

// More is read in each of these states than the engine remembers of all of them.
TEST_F(Engine, AnImageThatComesAgainLateIsRecoveredAgain) {
  class reader_of_all final : public word_reader {
   public:
    using word_reader::word_reader;
    recovery recover(dev::device& device) override {
      std::vector<std::byte> all(device_bytes);
      EXPECT_TRUE(device.read(0, all));
      return word_reader::recover(device);
    }
    std::string inspect(std::span<const std::byte> image, std::uint64_t) override { return image[64] == std::byte{1} ? "one" : ""; }
  };
  options_.unit = 8;
  std::map<std::size_t, meanings> at;
  options_.on_state = [&](const state_seen& s) { at[s.at.point].insert(s.meaning); };
  h_.begin_operation(0, "much");
  store(0, 9, device_bytes / 8);
  fence();
  store(2048, 9);
  for (std::uint64_t n = 0; n < 7; ++n) cached(n * 64, n);
  fence();
  h_.end_operation(0);
  reader_of_all subject{{0, 64, 128, 192, 256, 320, 384}};
  options_.max_states = 128;
  options_.samples = 0;
  options_.max_failures = 2;
  const crash_report r = engine().run("late", h_, subject);
  EXPECT_EQ(r.broken, "");
  EXPECT_THAT(at[1], SizeIs(128));
  EXPECT_EQ(at[1], at[2]);
  EXPECT_EQ(r.failing_states, 64u + 64u);
  EXPECT_GT(r.recoveries, r.unique_images);
  EXPECT_LT(r.recoveries, r.states);
}

TEST_F(Engine, ProbeAndInspectFailToo) {
  class failing final : public word_reader {
   public:
    using word_reader::word_reader;
    std::string probe(dev::device&, const recovery& found) override { return found.meaning == "1 0" ? "cannot go on" : ""; }
    std::string inspect(std::span<const std::byte> image, std::uint64_t) override {
      if (image[64] != std::byte{0} && image[0] != std::byte{0}) throw std::runtime_error{"both"};
      return {};
    }
  } subject{{0, 64}};
  store(0, 1);
  store(64, 1);
  options_.max_failures = 9;
  const crash_report r = engine().run("fail", h_, subject);
  ASSERT_THAT(r.failures, SizeIs(2));
  EXPECT_EQ(r.failures[0].first.failure, "cannot go on");
  EXPECT_EQ(r.failures[1].first.failure, "both");
}

TEST_F(Engine, SeesARecoveryThatIsNoFunctionOfTheImage) {
  class fickle final : public word_reader {
   public:
    using word_reader::word_reader;
    recovery recover(dev::device& device) override {
      recovery r = word_reader::recover(device);
      r.meaning += " " + std::to_string(recoveries);
      return r;
    }
  } subject{{0}};
  store(0, 1);
  options_.repeat_every = 1;
  EXPECT_THAT(engine().run("fickle", h_, subject).broken, HasSubstr("in the same image"));
}

TEST_F(Engine, SeesARecoveryThatLooksElsewhereTheNextTime) {
  class forgetful final : public word_reader {
   public:
    using word_reader::word_reader;
    recovery recover(dev::device& device) override {
      return recoveries == 0 ? word_reader::recover(device) : recovery{.meaning = "forgotten"};
    }
  } subject{{0}};
  store(0, 1);
  options_.repeat_every = 0;
  EXPECT_THAT(engine().run("forgetful", h_, subject).broken, HasSubstr("did not read again"));
}

TEST_F(Engine, EndsWhenItsTimeIsOverOrItIsTold) {
  for (std::uint64_t n = 0; n < 12; ++n) store(n * 64, 1);
  word_reader subject{{0, 64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704}};
  options_.max_time = nanoseconds{1};
  EXPECT_TRUE(engine().run("budget", h_, subject).stopped);
  options_.max_time = nanoseconds{0};
  std::atomic<bool> stop{false};
  options_.stop = &stop;
  options_.on_state = [&](const state_seen&) { stop = true; };
  const crash_report r = engine().run("stop", h_, subject);
  EXPECT_TRUE(r.stopped);
  EXPECT_EQ(r.states, 1u);
}

TEST_F(Engine, TellsItsProgress) {
  for (std::uint64_t n = 0; n < 5; ++n) store(n * 64, 1);
  std::uint64_t last = 0;
  options_.progress_every = nanoseconds{1};
  options_.on_progress = [&](const crash_progress& p) { last = p.states; };
  word_reader subject{{0, 64, 128, 192, 256}};
  static_cast<void>(engine().run("progress", h_, subject));
  EXPECT_EQ(last, 32u);
}

TEST_F(Engine, AProgramThatFailsIsReported) {
  word_reader subject{{0}};
  const crash_report r =
      engine().run({.name = "fails", .run = [](dev::device&, history&) { throw std::runtime_error{"no room"}; }}, subject);
  EXPECT_FALSE(r.passed());
  EXPECT_EQ(r.broken, "the program failed: no room");
}

TEST_F(Engine, MistakesOfAProgramAreReported) {
  word_reader subject{{0}};
  const auto broken = [&](auto&& run) { return engine().run({.name = "mistaken", .run = run}, subject).broken; };
  EXPECT_THAT(broken([](dev::device&, history& h) {
                h.begin_operation(1, "one");
                h.begin_operation(2, "two");
              }),
              HasSubstr("operation 2 begins within operation 1"));
  EXPECT_THAT(broken([](dev::device&, history& h) { h.end_operation(3); }), HasSubstr("operation 3 ends"));
  options_.unit = 100;
  EXPECT_THAT(broken([](dev::device&, history&) {}), HasSubstr("not 100"));
  options_.unit = 64;
  store(device_bytes - 8, 1, 2);
  EXPECT_THAT(engine().run("large", h_, subject).broken, HasSubstr("a larger device"));
  EXPECT_EQ(engine().replay("large", h_, subject, "").error(), "the history is of a larger device");
}

// Neither what programs do nor what recoveries write is there for the next one.
TEST_F(Engine, EachRunBeginsWithTheSameImage) {
  toy_subject subject{{}, flaw::missing_fence, usual_steps()};
  crash_engine e{subject.start(), {.max_failures = 100}};
  const crash_report first = e.run(subject.make_program(), subject);
  ASSERT_THAT(first.failures, testing::Not(IsEmpty()));
  for (int round = 0; round < 3; ++round) {
    const crash_report next = e.run(subject.make_program(), subject);
    EXPECT_EQ(next.states, first.states);
    EXPECT_EQ(next.meanings, first.meanings);
    EXPECT_EQ(next.failures.back().first.token, first.failures.back().first.token);
    const auto again = e.replay(subject.make_program(), subject, first.failures.back().minimised.token);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->failure, first.failures.back().minimised.failure);
  }
}

// As a state of explored schedules: each begins with what the setup has done.
TEST_F(Engine, AHistoryGoesBack) {
  h_.begin_operation(0, "setup");
  store(0, 1);
  ASSERT_TRUE(h_.save());
  const std::uint64_t saved = h_.shape();
  for (int schedule = 0; schedule < 2; ++schedule) {
    store(64, 2);
    h_.end_operation(0);
    h_.begin_operation(1, "more");
    h_.restore();
    EXPECT_EQ(h_.shape(), saved);
    EXPECT_THAT(h_.operations(), SizeIs(1));
  }
  h_.end_operation(0);
  EXPECT_EQ(h_.operations()[0].ended, 2u);
}

TEST_F(Engine, DevicesHaveWindowsOrNot) {
  for (const bool windows : {true, false}) {
    options_.windows = windows;
    word_reader subject{{0}};
    bool had = !windows;
    EXPECT_TRUE(engine().run({.name = "look", .run = [&](dev::device& d, history&) { had = d.has_direct_access(); }}, subject).passed());
    EXPECT_EQ(had, windows);
  }
}

}  // namespace
}  // namespace xip::crash::test
