// The command line of `xip check`: lists, filters, refusals.
#include <sys/stat.h>

#include "scenario/check_fixture.h"

namespace xip::scenario {
namespace {

using testing::HasSubstr;

TEST_F(CheckCommand, ListsNamesAndNothingElse) {
  const called c = check({"--list"});
  EXPECT_EQ(c.exit_code, 0);
  EXPECT_EQ(c.out, "plant/001\nplant/004\nplant/009\nplant/014\nother/001\nother/002\n");
}

// Who mistypes a name is told how to see all of them, those outside of group auto too.
TEST_F(CheckCommand, SaysHowToListEveryName) {
  EXPECT_THAT(check({"plant/999"}).err, HasSubstr("there is no scenario 'plant/999'; --list '*' prints the names of all\n"));
  std::string all;
  for (const scenario* s : planted_scenarios()) all += std::string{s->name} + "\n";
  const called c = check({"--list", "*"});
  EXPECT_EQ(c.exit_code, 0);
  EXPECT_EQ(c.out, all);
  EXPECT_NE(c.out, check({"--list"}).out);
}

TEST_F(CheckCommand, ChoosesByGroupDirectoryNameAndPattern) {
  EXPECT_EQ(check({"--list", "-g", "skips"}).out, "plant/004\n");
  EXPECT_EQ(check({"--list", "-g", "skips,hangs"}).out, "plant/004\nplant/005\n");
  EXPECT_EQ(check({"--list", "-g", "skips", "-g", "hangs"}).out, "plant/004\nplant/005\n");
  EXPECT_EQ(check({"--list", "-g", "other"}).out, "other/001\nother/002\n");
  EXPECT_EQ(check({"--list", "plant/003"}).out, "plant/003\n");
  EXPECT_EQ(check({"--list", "other/*"}).out, "other/001\nother/002\n");
  EXPECT_EQ(check({"--list", "-g", "other", "-x", "dax"}).out, "other/002\n");
  EXPECT_EQ(check({"--list", "plant/003", "-g", "skips"}).out, "plant/003\nplant/004\n");
}

TEST_F(CheckCommand, RefusesWhatDoesNotExistByName) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"plant/999"},
                                                                 {"-g", "nobody"},
                                                                 {"-x", "nobody"},
                                                                 {"--no-such-option"},
                                                                 {"--device", "tape"},
                                                                 {"--device", "pmem:"},
                                                                 {"--mappings", "real"},
                                                                 {"--mappings", "pointers:"},
                                                                 {"-j", "0"},
                                                                 {"-j", "many"},
                                                                 {"--seed", "x"},
                                                                 {"--shard", "3/2"},
                                                                 {"--shard", "0/2"},
                                                                 {"--mkfs", "'"},
                                                                 {"-g", ""},
                                                                 {"-x", ","},
                                                                 {"--keep"},
                                                                 {"--image", "a", "--mkfs", "-b 1024"}}) {
    const called c = check(words);
    EXPECT_EQ(c.exit_code, 2) << words[0] << c.err;
    EXPECT_EQ(c.out, "") << words[0];
    EXPECT_THAT(c.err, HasSubstr(words.size() == 2 ? words[1] : words[0]));
  }
}

TEST_F(CheckCommand, RefusesAScratchFileInNoDirectory) {
  const called c = check({"--device", "pmem:/no/such/place/file"});
  EXPECT_EQ(c.exit_code, 3);
  EXPECT_THAT(c.err, HasSubstr("/no/such/place/file"));
}

TEST_F(CheckCommand, RefusesToRunNothing) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"-g", "other", "-x", "other"}, {"plant/001", "-x", "plant"}, {"-x", "auto"}}) {
    for (const bool list : {false, true}) {
      std::vector<std::string> all = words;
      if (list) all.emplace_back("--list");
      const called c = check(all);
      EXPECT_EQ(c.exit_code, 2);
      EXPECT_EQ(c.out, "");
      EXPECT_THAT(c.err, HasSubstr("nothing to run: no scenario is in "));
      EXPECT_THAT(c.err, HasSubstr("-x " + words.back()));
    }
  }
  const called shard = check({"plant/001", "--device", "memory", "--shard", "2/3"});
  EXPECT_EQ(shard.exit_code, 2);
  EXPECT_THAT(shard.err, HasSubstr("--shard 2/3 of 1 runs"));
}

TEST_F(CheckCommand, DistinguishesWhatCannotBeUsedFromAWrongCommandLine) {
  std::ofstream{in_directory("text")} << "no file system";
  ASSERT_EQ(::mkfifo(in_directory("pipe").c_str(), 0600), 0);
  for (const auto& words : std::vector<std::vector<std::string>>{{"--image", "/no/such/image"},
                                                                 {"--image", in_directory("text")},
                                                                 {"--image", in_directory("pipe")},
                                                                 {"--image", "/"},
                                                                 {"--keep", "/proc/x"},
                                                                 {"--junit", "/no/such/place/junit"},
                                                                 {"--device", "pmem:" + in_directory("text")}}) {
    const called c = on_memory(
        [&] {
          std::vector<std::string> all{"plant/002"};
          all.insert(all.end(), words.begin(), words.end());
          return all;
        }(),
        words[0] != "--keep");
    EXPECT_EQ(c.exit_code, 3) << words[1] << c.err;
    EXPECT_EQ(c.out, "") << words[1];
    EXPECT_THAT(c.err, HasSubstr(words[1].substr(words[1].find('/'))));
  }
}

TEST_F(CheckCommand, SpeaksInTheNameOfItsProgram) {
  std::ofstream{in_directory("text")} << "no file system";
  EXPECT_THAT(check({"plant/001", "--device", "pmem:" + in_directory("text")}, "plant-001").err,
              testing::StartsWith("plant-001: " + in_directory("text")));
  EXPECT_THAT(check({"-g", "none"}, "plant-001").err, testing::StartsWith("plant-001: there is no group 'none'"));
}

TEST_F(CheckCommand, FailsWhenItsOutputGoesNowhere) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--list"}, {"--help"}, {"plant/001", "--device", "memory"}}) {
    const called c = check_onto("/dev/full", words);
    EXPECT_EQ(c.exit_code, 1) << words[0];
    EXPECT_EQ(c.err, "xip check: standard output: No space left on device\n") << words[0];
  }
}

TEST_F(CheckCommand, HelpsOnRequest) {
  const called c = check({"--help"});
  EXPECT_EQ(c.exit_code, 0);
  for (const char* word : {"--group", "--device", "--mkfs", "--image", "--keep", "--junit", "--json", "--seed", "Exit code"})
    EXPECT_THAT(c.out, HasSubstr(word));
}

TEST_F(CheckCommand, DividesTheWorkIntoShards) {
  const auto names = [&](const char* shard) { return check({"-g", "other", "-g", "skips", "--device", "memory", "--shard", shard}).out; };
  EXPECT_THAT(names("1/2"), HasSubstr("plant/004"));
  EXPECT_THAT(names("1/2"), HasSubstr("other/002"));
  EXPECT_THAT(names("2/2"), HasSubstr("other/001"));
  EXPECT_THAT(names("1/2"), testing::Not(HasSubstr("other/001")));
}

}  // namespace
}  // namespace xip::scenario
