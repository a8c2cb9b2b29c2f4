// What `xip check` says and answers for scenarios that end in every way.
#include <algorithm>
#include <csignal>

#include "scenario/check_fixture.h"
#include "scenario/fixture.h"

namespace xip::scenario {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

TEST_F(CheckCommand, SaysOneLineForAScenarioThatPasses) {
  const called c = on_memory({"plant/001"});
  EXPECT_EQ(c.exit_code, 0) << c.out << c.err;
  EXPECT_THAT(c.out, MatchesRegex("plant/001 \\[memory\\] [0-9]+\\.[0-9][0-9]s\n1 passed, 0 failed, 0 skipped\n"));
  EXPECT_EQ(c.err, "");
}

TEST_F(CheckCommand, SaysWhatWasExpectedFoundAndKept) {
  const called c = on_memory({"plant/002"});
  EXPECT_EQ(c.exit_code, 1);
  EXPECT_THAT(c.out, HasSubstr("[failed]"));
  EXPECT_THAT(c.out, HasSubstr("planted.cc:"));
  EXPECT_THAT(c.out, HasSubstr("the answer"));
  EXPECT_THAT(c.out, HasSubstr("expected: 42"));
  EXPECT_THAT(c.out, HasSubstr("found:    41"));
  EXPECT_THAT(c.out, HasSubstr("seed:  1"));
  EXPECT_THAT(c.out, HasSubstr(in_directory("kept/plant-002-memory.img")));
  EXPECT_THAT(c.out, EndsWith("0 passed, 1 failed, 0 skipped\n"));
  EXPECT_EQ(std::filesystem::file_size(in_directory("kept/plant-002-memory.img")), 64 * mib);
}

TEST_F(CheckCommand, NamesTheSignalOfACrashAndKeepsTheImage) {
  const called c = on_memory({"plant/003", "plant/001"});
  EXPECT_EQ(c.exit_code, 1);
  EXPECT_THAT(c.out, HasSubstr("signal SIGILL"));
  EXPECT_THAT(c.out, EndsWith("1 passed, 1 failed, 0 skipped\n"));
  // What the dead scenario had written is in the image.
  EXPECT_NE(contents(in_directory("kept/plant-003-memory.img")).find("evidence"), std::string::npos);
}

TEST_F(CheckCommand, SaysWhyAScenarioWasNotRun) {
  const called c = on_memory({"plant/004"});
  EXPECT_EQ(c.exit_code, 0);
  EXPECT_EQ(c.out, "plant/004 [memory] [not run] the moon is full\n0 passed, 0 failed, 1 skipped\n");
}

TEST_F(CheckCommand, EndsAScenarioThatHangs) {
  const called c = on_memory({"plant/005", "--timeout", "1"});
  EXPECT_EQ(c.exit_code, 1);
  EXPECT_THAT(c.out, HasSubstr("the scenario hung"));
}

TEST_F(CheckCommand, FailsAScenarioWhoseFileSystemLogsAnError) {
  const called c = on_memory({"plant/006"});
  EXPECT_EQ(c.exit_code, 1);
  EXPECT_THAT(c.out, HasSubstr("something is wrong with inode 12"));
  EXPECT_EQ(on_memory({"plant/014"}).exit_code, 0);
}

TEST_F(CheckCommand, FailsAScenarioWhoseThreadFails) {
  const called c = on_memory({"plant/007"});
  EXPECT_EQ(c.exit_code, 1);
  EXPECT_THAT(c.out, HasSubstr("thread 1 is content"));
}

TEST_F(CheckCommand, FailsAScenarioThatDamagesItsImage) {
  const called c = on_memory({"plant/008"});
  EXPECT_EQ(c.exit_code, 1);
  EXPECT_THAT(c.out, HasSubstr("e2fsck -fn ended with exit code"));
}

TEST_F(CheckCommand, UnmountsWhatABodyLeftOpen) { EXPECT_EQ(on_memory({"plant/009"}).exit_code, 0); }

TEST_F(CheckCommand, NamesBothErrnos) {
  const called c = on_memory({"plant/011"});
  EXPECT_THAT(c.out, HasSubstr("expected: EACCES"));
  EXPECT_THAT(c.out, HasSubstr("found:    ENOENT"));
}

TEST_F(CheckCommand, SaysWhereAWrongByteCameFrom) {
  const called c = on_memory({"plant/012"});
  EXPECT_THAT(c.out, HasSubstr("expected: file 1 generation 0 offset 4096"));
  EXPECT_THAT(c.out, HasSubstr("found:    file 2 generation 5 offset 4096"));
}

TEST_F(CheckCommand, RepeatsChanceFromTheSeed) {
  const auto chance = [&](const char* seed) {
    const std::string out = on_memory({"plant/013", "--seed", seed}).out;
    return out.substr(out.find("chance said"), out.find("image:") - out.find("chance said"));
  };
  EXPECT_EQ(chance("5"), chance("5"));
  EXPECT_NE(chance("5"), chance("6"));
}

TEST_F(CheckCommand, RunsSeveralAtOnceAndReportsInOrder) {
  const called c = on_memory({"plant/001", "plant/002", "plant/004", "plant/009", "-j", "4"});
  const auto first = c.out.find("plant/001"), second = c.out.find("plant/002"), third = c.out.find("plant/004");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_THAT(c.out, EndsWith("2 passed, 1 failed, 1 skipped\n"));
}

TEST_F(CheckCommand, RunsOnEachDeviceThatIsNamed) {
  const called c = check({"plant/001", "other/001", "--device", "pmem", "--device", "block", "--keep", in_directory("kept")});
  EXPECT_EQ(c.exit_code, 0) << c.out;
  EXPECT_THAT(c.out, HasSubstr("plant/001 [pmem]"));
  EXPECT_THAT(c.out, HasSubstr("plant/001 [block]"));
  EXPECT_THAT(c.out, HasSubstr("other/001 [block] [not run] needs direct access"));
  EXPECT_THAT(c.out, EndsWith("3 passed, 0 failed, 1 skipped\n"));
}

TEST_F(CheckCommand, PutsAScratchFileBack) {
  const std::string file = in_directory("scratch");
  EXPECT_EQ(check({"plant/001", "--device", "pmem:" + file}).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(file));
  std::ofstream{file};
  std::filesystem::resize_file(file, 32 * mib);
  EXPECT_EQ(check({"plant/001", "--device", "block:" + file}).exit_code, 0);
  EXPECT_EQ(std::filesystem::file_size(file), 32 * mib);
  EXPECT_THAT(check({"other/002", "--device", "pmem:" + file}).exit_code, 0);
  EXPECT_EQ(std::filesystem::file_size(file), 32 * mib);
}

TEST_F(CheckCommand, RefusesAScratchFileWithForeignData) {
  const std::string file = in_directory("precious");
  std::ofstream{file} << "a thesis";
  const called c = check({"plant/001", "--device", "pmem:" + file});
  EXPECT_EQ(c.exit_code, 3);
  EXPECT_THAT(c.err, HasSubstr(file));
  EXPECT_EQ(contents(file), "a thesis");
}

TEST_F(CheckCommand, RunsOnACopyOfTheUsersImage) {
  ASSERT_EQ(on_memory({"plant/002"}).exit_code, 1);
  const std::string image = in_directory("kept/plant-002-memory.img");
  const std::string before = contents(image);
  const called c = on_memory({"plant/001", "other/002", "--image", image});
  EXPECT_EQ(c.exit_code, 0) << c.out << c.err;
  EXPECT_THAT(c.out, HasSubstr("its own copy of " + image));
  EXPECT_THAT(c.out, HasSubstr("other/002 [memory] [not run] needs 256 MiB"));
  EXPECT_TRUE(contents(image) == before);
  for (const auto& words : std::vector<std::vector<std::string>>{{"--image", image}, {"--device", "block:" + image}}) {
    const called over = check({"plant/001", words[0], words[1], "--junit", image});
    EXPECT_EQ(over.exit_code, 2) << words[0];
    EXPECT_THAT(over.err, HasSubstr("--junit " + image)) << words[0];
    EXPECT_TRUE(contents(image) == before) << words[0];
  }
}

TEST_F(CheckCommand, TakesMke2fsOptionsInPlaceOfTheDefaults) {
  const called c = on_memory({"plant/001", "other/001", "--mkfs", "-b 1024"});
  EXPECT_EQ(c.exit_code, 0) << c.out;
  EXPECT_THAT(c.out, HasSubstr("other/001 [memory] [not run] needs blocks of 4096 bytes, the image has 1024"));
  const called bad = on_memory({"plant/001", "--mkfs", "-O no_such_feature"});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.err, HasSubstr("--mkfs"));
}

TEST_F(CheckCommand, DoesNotRunAScenarioWhoseMkfsOptionsExcludeTheUsers) {
  const called c = on_memory({"plant/001", "plant/015", "--mkfs", "-b 4096 -O orphan_file"});
  EXPECT_EQ(c.exit_code, 0) << c.out;
  EXPECT_THAT(c.out, HasSubstr("plant/015 [memory] [not run] its '-O ^has_journal' and --mkfs exclude each other: mke2fs"));
  EXPECT_THAT(c.out, EndsWith("1 passed, 0 failed, 1 skipped\n"));
}

TEST_F(CheckCommand, DoesNotRunAScenarioWithoutAFeatureThatItNeeds) {
  EXPECT_THAT(on_memory({"plant/017"}).out, EndsWith("1 passed, 0 failed, 0 skipped\n"));
  EXPECT_THAT(on_memory({"plant/017", "--mkfs", "-b 4096 -O ^huge_file"}).out,
              HasSubstr("plant/017 [memory] [not run] needs feature huge_file"));
  EXPECT_THAT(on_memory({"plant/019"}).out, EndsWith("1 passed, 0 failed, 0 skipped\n"));
  EXPECT_THAT(on_memory({"plant/019", "--mkfs", "-b 4096 -O ^extent,^64bit"}).out,
              HasSubstr("plant/019 [memory] [not run] needs feature extent"));
}

TEST_F(CheckCommand, TellsAScenarioTheGeometryOfItsImage) {
  EXPECT_THAT(on_memory({"plant/016", "--mkfs", "-b 2048 -I 128"}).out, HasSubstr("[not run] 2048 128\n"));
  EXPECT_THAT(on_memory({"plant/016", "--mkfs", "-b 4096 -I 512"}).out, HasSubstr("[not run] 4096 512\n"));
}

TEST_F(CheckCommand, SaysOnceThatTheFileSystemCannotBeMounted) {
  for (const auto& [mkfs, name] : {std::pair{"-O inline_data", "inline_data"}, {"-O quota", "quota"}, {"-O casefold", "casefold"}}) {
    const called c = on_memory({"plant/001", "plant/009", "--mkfs", mkfs});
    EXPECT_EQ(c.exit_code, 3) << mkfs;
    EXPECT_EQ(c.out, "") << mkfs;
    EXPECT_THAT(c.err, HasSubstr(std::string{"mke2fs "} + mkfs + " makes cannot be mounted: "));
    EXPECT_THAT(c.err, HasSubstr(name));
    EXPECT_EQ(std::ranges::count(c.err, '\n'), 1) << c.err;
  }
}

TEST_F(CheckCommand, DoesNotBlameAScenarioForADeniedRing) {
  for (const int number : {EPERM, ENOSYS, ENOMEM}) {
    EXPECT_TRUE(is_denied(device_kind::block, error{number}));
    EXPECT_FALSE(is_denied(device_kind::pmem, error{number}));
  }
  EXPECT_FALSE(is_denied(device_kind::block, error{EIO}));
}

TEST_F(CheckCommand, ReportsAnInterruptedRunAndRemovesItsFiles) {
  ASSERT_EQ(::setenv("TMPDIR", directory_.c_str(), 1), 0);
  const called c = check({"plant/001", "plant/018", "other/002", "-j", "1", "--device", "memory"});
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
  const std::string file = in_directory("junit.xml");
  const called as_json = check({"plant/018", "other/002", "-j", "1", "--device", "memory", "--json", "--junit", file});
  ::unsetenv("TMPDIR");
  EXPECT_EQ(c.exit_code, 128 + SIGTERM);
  EXPECT_THAT(c.out, HasSubstr("plant/018 [memory] "));
  EXPECT_THAT(c.out, HasSubstr("s [interrupted]\n"));
  EXPECT_THAT(c.out, EndsWith("interrupted by SIGTERM: 1 passed, 0 failed, 0 skipped, 1 interrupted, 1 not started\n"));
  EXPECT_EQ(as_json.exit_code, 128 + SIGTERM);
  EXPECT_THAT(as_json.out, HasSubstr("\"interrupted_by\": \"SIGTERM\""));
  EXPECT_THAT(as_json.out, HasSubstr("\"status\": \"interrupted\""));
  EXPECT_THAT(contents(file), HasSubstr("<error message=\"interrupted by SIGTERM\"/>"));
  EXPECT_THAT(contents(file), HasSubstr("failures=\"0\" errors=\"1\""));
}

TEST_F(CheckCommand, LeavesNothingBehindWhenAllIsWell) {
  ASSERT_EQ(::setenv("TMPDIR", directory_.c_str(), 1), 0);
  EXPECT_EQ(check({"plant/001"}).exit_code, 0);
  ::unsetenv("TMPDIR");
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

}  // namespace
}  // namespace xip::scenario
