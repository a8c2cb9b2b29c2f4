// The command line of `xip check`: lists, filters, refusals.
#include "scenario/check_fixture.h"

namespace xip::scenario {
namespace {

using testing::HasSubstr;

TEST_F(CheckCommand, ListsNamesAndNothingElse) {
  const called c = check({"--list"});
  EXPECT_EQ(c.exit_code, 0);
  EXPECT_EQ(c.out, "plant/001\nplant/004\nplant/009\nplant/014\nother/001\nother/002\n");
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
  for (const auto& words : std::vector<std::vector<std::string>>{{"plant/999"}, {"-g", "nobody"}, {"-x", "nobody"}, {"--no-such-option"},
                                                                 {"--device", "tape"}, {"--device", "pmem:"}, {"-j", "0"}, {"-j", "many"},
                                                                 {"--seed", "x"}, {"--shard", "3/2"}, {"--shard", "0/2"}, {"--mkfs", "'"},
                                                                 {"--image", "/no/such/image"}, {"--keep"}, {"--image", "a", "--mkfs", "-b 1024"}}) {
    const called c = check(words);
    EXPECT_EQ(c.exit_code, 2) << words[0] << c.err;
    EXPECT_EQ(c.out, "") << words[0];
    EXPECT_THAT(c.err, HasSubstr(words.size() == 2 ? words[1] : words[0]));
  }
}

TEST_F(CheckCommand, RefusesAScratchFileInNoDirectory) {
  const called c = check({"--device", "pmem:/no/such/place/file"});
  EXPECT_EQ(c.exit_code, 2);
  EXPECT_THAT(c.err, HasSubstr("/no/such/place/file"));
}

TEST_F(CheckCommand, HelpsOnRequest) {
  const called c = check({"--help"});
  EXPECT_EQ(c.exit_code, 0);
  for (const char* word : {"--group", "--device", "--mkfs", "--image", "--keep", "--junit", "--json", "--seed", "Exit code"}) EXPECT_THAT(c.out, HasSubstr(word));
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
