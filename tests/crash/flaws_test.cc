// A journal that is right survives every crash, at each atomic unit; one with a flaw is found out.
#include <gmock/gmock.h>

#include "crash/toy_journal.h"

namespace xip::crash::test {
namespace {

using testing::HasSubstr;

struct setting {
  const char* name;
  toy_format format;
  std::uint32_t unit;
};

constexpr setting settings[] = {
    {"Words", {64, false, false}, 8},           {"Lines", {64, false, false}, 64},
    {"WordsChecksummed", {64, false, true}, 8}, {"LinesChecksummed", {64, false, true}, 64},
    {"Sectors", {512, true, false}, 512},       {"SectorsChecksummed", {512, true, true}, 512},
    {"Blocks", {4096, true, false}, 4096},
};

crash_report crash(const setting& s, flaw f, crash_options options = {}) {
  toy_subject subject{s.format, f, usual_steps()};
  options.unit = s.unit;
  options.windows = !s.format.requests;
  return crash_engine{subject.start(), options}.run(subject.make_program(), subject);
}

std::string failure_of(const crash_report& r) { return r.failures.empty() ? r.broken : r.failures.front().first.failure; }

class RightJournal : public testing::TestWithParam<setting> {};

std::string name_of(const testing::TestParamInfo<setting>& i) { return i.param.name; }

INSTANTIATE_TEST_SUITE_P(At, RightJournal, testing::ValuesIn(settings), name_of);

TEST_P(RightJournal, SurvivesEveryCrash) {
  const crash_report r = crash(GetParam(), flaw::none, {.repeat_every = 3});
  EXPECT_EQ(failure_of(r), "");
  EXPECT_TRUE(r.passed());
  EXPECT_FALSE(r.stopped);
  EXPECT_GT(r.states, 20u);
  EXPECT_GE(r.meanings, 5u);
  EXPECT_GE(r.recoveries, r.unique_images);
  EXPECT_TRUE(r.complete() || GetParam().unit == 8);
}

struct planted {
  const char* name;
  flaw what;
  toy_format format;
  std::uint32_t unit;
  const char* failure;
};

constexpr toy_format windows{64, false, false}, checksums{64, false, true}, sectors{512, true, false};

constexpr planted flaws[] = {
    {"MissingFlush", flaw::missing_flush, windows, 64, "found"},
    {"MissingFlushOfADevice", flaw::missing_flush, sectors, 512, "found"},
    {"MissingFence", flaw::missing_fence, windows, 64, "found"},
    {"CommitBeforeData", flaw::commit_before_data, windows, 64, "found"},
    {"ChecksumOfTheWrongBytes", flaw::checksum_of_one, checksums, 64, "found"},
    {"TailTooEarly", flaw::tail_too_early, windows, 64, "found"},
    {"TailNotWaitedFor", flaw::no_wait_for_tail, windows, 64, "found"},
    {"TornSuperBlock", flaw::torn_super, windows, 64, "no super block"},
    {"TornSuperBlockOfSectors", flaw::torn_super, sectors, 512, "no super block"},
    {"HeadTornInAWord", flaw::checksum_forgotten, windows, 8, "found"},
};

class FlawedJournal : public testing::TestWithParam<planted> {};

INSTANTIATE_TEST_SUITE_P(Of, FlawedJournal, testing::ValuesIn(flaws),
                         [](const testing::TestParamInfo<planted>& i) { return std::string{i.param.name}; });

TEST_P(FlawedJournal, IsFoundOut) {
  const planted& p = GetParam();
  const crash_report r = crash({"", p.format, p.unit}, p.what);
  EXPECT_EQ(r.broken, "");
  ASSERT_EQ(r.failures.size(), 1u);
  EXPECT_THAT(failure_of(r), HasSubstr(p.failure));
}

// What each rule is for: where the unit is large enough, the flaw is none.
TEST(FlawlessWhere, TheUnitIsLargerThanWhatIsTorn) {
  EXPECT_TRUE(crash({"", windows, 64}, flaw::checksum_forgotten).passed());
  EXPECT_TRUE(crash({"", windows, 512}, flaw::torn_super).passed());
}

}  // namespace
}  // namespace xip::crash::test
