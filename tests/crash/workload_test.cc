// Workloads as text, and the generated ones.
#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/crash/ace.h>
#include <xip/crash/workload.h>

namespace xip::crash::test {
namespace {

using testing::HasSubstr;

TEST(Workload, IsReadAsItIsWritten) {
  constexpr std::string_view text =
      "mkdir A\ncreat A/foo\n---\nwrite A/foo 3 13 dsync append\nrename A/foo A/bar noreplace\nopen 7 A tmpfile\nwrite @7 0 5\nlinkat 7 "
      "A/new\n"
      "chmod A 2755\nchown A/bar 1 2\nsetxattr @7 user.a 300\nclose 7\nfsync A\numount\n";
  const auto w = parse_workload("w", text);
  ASSERT_TRUE(w) << w.error();
  EXPECT_EQ(text_of(*w), text);
  EXPECT_EQ(w->setup.size(), 2u);
  EXPECT_EQ(w->steps[0], (step{.what = verb::write, .path = "A/foo", .offset = 3, .length = 13, .flags = flag_dsync | flag_append}));
  EXPECT_EQ(w->steps[5].length, 02755);
}

TEST(Workload, KnowsWhatBecomesOfARange) {
  constexpr std::string_view text =
      "falloc a 0 1\nfalloc a 0 1 keep_size\nfalloc a 3 5 punch\nfalloc @7 3 5 zero\nfalloc a 3 5 zero keep_size\nfalloc a 0 4096 "
      "collapse\nfalloc a 4096 8192 insert\n";
  const auto w = parse_workload("w", text);
  ASSERT_TRUE(w) << w.error();
  EXPECT_EQ(text_of(*w), text);
  constexpr std::uint32_t flags[] = {0, flag_keep_size, flag_punch, flag_zero, flag_zero | flag_keep_size, flag_collapse, flag_insert};
  for (std::size_t i = 0; i < std::size(flags); ++i) EXPECT_EQ(w->steps[i].flags, flags[i]) << i;
  EXPECT_EQ(text_of(parse_workload("w", "falloc a 0 1 keep_size zero").value()), "falloc a 0 1 zero keep_size\n");
}

TEST(Workload, MayStoreThroughMappings) {
  constexpr std::string_view text = "store a 3 5\nstore @7 0 8 sync\nmsync a\nmsync @7\n";
  const auto w = parse_workload("w", text);
  ASSERT_TRUE(w) << w.error();
  EXPECT_EQ(text_of(*w), text);
  EXPECT_EQ(w->steps[1], (step{.what = verb::store, .fd = 7, .length = 8, .flags = flag_sync}));
}

TEST(Workload, MaySetFlags) {
  constexpr std::string_view text = "chattr A S\nchattr A SD\nchattr A -\n";
  const auto w = parse_workload("w", text);
  ASSERT_TRUE(w) << w.error();
  EXPECT_EQ(text_of(*w), text);
  EXPECT_EQ(w->steps[0], (step{.what = verb::chattr, .path = "A", .other = "S"}));
}

TEST(Workload, MayBeginWhereThePowerHasFailed) {
  constexpr std::string_view text = "creat a\ncut\n---\nmount\nsync\n";
  const auto w = parse_workload("w", text);
  ASSERT_TRUE(w) << w.error();
  EXPECT_EQ(text_of(*w), text);
  EXPECT_EQ(w->setup.back().what, verb::cut);
  EXPECT_EQ(w->steps.front().what, verb::mount);
}

TEST(Workload, MayHaveCommentsAndBlanks) {
  const auto w = parse_workload("w", "\n  # nothing\n\tsync   # all of it\r\n");
  ASSERT_TRUE(w) << w.error();
  EXPECT_EQ(text_of(*w), "sync\n");
}

TEST(Workload, MayHaveTwoTasks) {
  constexpr std::string_view text = "creat a\n---\ntask 1:\nwrite a 0 5\ntask 2:\nopen 1 a read\nfsync @1\ntask 1:\nfsync a\n";
  const auto w = parse_workload("w", text);
  ASSERT_TRUE(w) << w.error();
  EXPECT_EQ(text_of(*w), text);
  EXPECT_EQ(tasks_of(*w), 2u);
  EXPECT_EQ(w->steps[2].task, 1u);
  EXPECT_EQ(text_of(parse_workload("w", "task 1:\nsync\n").value()), "sync\n");
}

TEST(Workload, SaysWhatIsWrongAndWhere) {
  const auto error_of = [](std::string_view text) {
    const auto w = parse_workload("w", text);
    return w ? std::string{"nothing"} : w.error();
  };
  EXPECT_THAT(error_of("sync\nfly away\n"), HasSubstr("line 2: \"fly\" is no call; there are: mkdir"));
  EXPECT_EQ(error_of("write a 0"), "line 1: write takes 3 words, and there are 2");
  EXPECT_EQ(error_of("write a 0 -1"), "line 1: \"-1\" is no number from 0 to 16777216");
  EXPECT_EQ(error_of("write a 99999999999999999999 1"), "line 1: \"99999999999999999999\" is no number from 0 to 16777216");
  EXPECT_EQ(error_of("chmod a 899"), "line 1: \"899\" is no octal number from 0 to 7777");
  EXPECT_EQ(error_of("write @100 0 1"), "line 1: \"100\" is no number from 0 to 99");
  EXPECT_EQ(error_of("truncate a 0 dsync"), "line 1: truncate takes no \"dsync\"");
  EXPECT_EQ(error_of("store a 0 1 dsync"), "line 1: store takes no \"dsync\"");
  EXPECT_EQ(error_of("msync a 0 1"), "line 1: msync takes no \"0\"");
  EXPECT_EQ(error_of("truncate a 0 punch"), "line 1: truncate takes no \"punch\"");
  EXPECT_EQ(error_of("falloc a 0 1 append"), "line 1: falloc takes no \"append\"");
  EXPECT_EQ(error_of("falloc a 0 punch"), "line 1: \"punch\" is no number from 0 to 16777216");
  EXPECT_EQ(error_of("sync\n---\nsync\n---\n"), "line 4: one \"---\" alone divides a workload, before any task");
  EXPECT_EQ(error_of("creat a\n---\n"), "there is no call in it");
  for (const char* line : {"task", "task 0:", "task 3:", "task 1", "task one:", "task 1: sync"})
    EXPECT_EQ(error_of(line), "line 1: a task begins with \"task N:\", with N from 1 to 2") << line;
  EXPECT_THAT(error_of("task 1:\nsync\n---\nsync\n"), HasSubstr("line 3: one \"---\""));
  EXPECT_EQ(error_of("task 1:\nsync\ntask 2:\numount\n"), "umount goes with one task");
  EXPECT_EQ(error_of("cut\n---\ntask 1:\nmount\ntask 2:\nsync\n"), "cut goes with one task");
  EXPECT_EQ(error_of("chattr a X"), "line 1: \"X\" has other letters than S and D, and is no -");
  for (const char* text : {"cut\nsync\n", "sync\ncut\n", "cut\nsync\n---\nmount\n", "cut\ncut\n---\nmount\n"})
    EXPECT_EQ(error_of(text), "a cut is the last call of a setup") << text;
  for (const char* text : {"cut\n---\nsync\nmount\n", "mount\n---\nsync\n", "cut\n---\nmount\nmount\n"})
    EXPECT_EQ(error_of(text), "a mount is the first call behind a setup") << text;
  for (const char* text : {"cut\n---\nsync\n", "mount\n", "creat a\n---\nmount\n"})
    EXPECT_EQ(error_of(text), "a cut at the end of the setup and a mount behind it go together") << text;
}

TEST(Ace, CountsThroughDifferentWorkloads) {
  std::set<std::string> texts;
  for (std::uint64_t i = 0; i < ace_count(1); ++i) texts.insert(text_of(ace_workload(1, i)));
  EXPECT_EQ(texts.size(), ace_count(1));
  EXPECT_EQ(ace_count(2), ace_count(1) * ace_count(1));
  EXPECT_EQ(text_of(ace_workload(2, ace_count(2) - 1)), text_of(*generated_workload("ace2-440895")));
}

TEST(Ace, IsReadAsItIsWritten) {
  for (std::uint64_t i = 0; i < ace_count(3); i += ace_count(3) / 997) {
    const workload w = ace_workload(3, i);
    EXPECT_EQ(parse_workload(w.name, text_of(w)), w) << w.name;
    EXPECT_EQ(generated_workload(w.name), w);
  }
}

TEST(Ace, IsNamedByNumbersThatThereAre) {
  for (const char* name :
       {"ace0-1", "ace4-1", "ace1-664", "ace1-", "ace1-1x", "ace1", "random0-1", "random101-1", "random", "random7", "mine", ""})
    EXPECT_FALSE(generated_workload(name)) << name;
}

TEST(RacedAce, CountsThroughPairs) {
  std::set<std::string> texts;
  const std::uint64_t all = raced_ace_count(1);
  EXPECT_EQ(all, 664u * 665 / 2);
  for (std::uint64_t i = 0; i < all; i += i < 50 ? 1 : 997) {
    const workload w = raced_ace_workload(1, i);
    EXPECT_EQ(tasks_of(w), 2u) << w.name;
    EXPECT_EQ(parse_workload(w.name, text_of(w)), w) << w.name;
    EXPECT_EQ(generated_workload(w.name), w);
    EXPECT_TRUE(texts.insert(text_of(w)).second) << w.name;
  }
  EXPECT_EQ(generated_workload("2xace1-220779"), raced_ace_workload(1, all - 1));
  EXPECT_EQ(generated_workload("2xrandom3-7"), raced_random_workload(3, 7));
  for (const char* name : {"2xace1-220780", "2xace3-1", "2xace0-0", "2x", "3xace1-1", "2xrandom0-1"})
    EXPECT_FALSE(generated_workload(name)) << name;
}

// What one task needs is there before the other begins, or is made by itself.
TEST(RacedAce, LetsTasksMakeWhatTheyNeedThemselves) {
  const workload w = raced_random_workload(10, 3);
  for (const step& s : w.setup) EXPECT_EQ(s.task, 0u);
  EXPECT_TRUE(std::ranges::is_sorted(w.steps, {}, &step::task));
}

TEST(Random, IsTheSameForTheSameSeed) {
  const workload w = random_workload(20, 7);
  EXPECT_EQ(random_workload(20, 7), w);
  EXPECT_EQ(generated_workload(w.name), w);
  EXPECT_NE(text_of(random_workload(20, 8)), text_of(w));
  EXPECT_GE(w.steps.size(), 20u);
}

// Directories come first, and what a call needs is there.
TEST(Ace, MakesWhatACallNeeds) {
  for (std::uint64_t i = 0; i < ace_count(1); ++i) {
    const workload w = ace_workload(1, i);
    EXPECT_EQ(text_of(w.setup[0]) + text_of(w.setup[1]), "mkdir Amkdir B");
    if (w.steps[0].what == verb::unlink) {
      EXPECT_EQ(text_of(w.setup[2]), "creat " + w.steps[0].path);
    }
  }
}

// A need of a file of all kinds of blocks is met by any file that is there.
TEST(Ace, MakesAFileOfAllKindsOfBlocks) {
  std::set<std::string> made;
  bool reused = false;
  for (std::uint64_t i = 0; i < ace_count(2); i += 7) {
    const workload w = ace_workload(2, i);
    EXPECT_EQ(text_of(w).find('+'), std::string::npos);
    std::size_t creats = 0;
    for (const step& s : w.setup) {
      creats += s.what == verb::creat ? 1 : 0;
      if (s.what == verb::falloc) made.insert(s.path);
    }
    reused |= creats == 1 && !w.setup.empty() && w.setup.back().what == verb::write && w.setup.back().offset == 20480;
  }
  EXPECT_EQ(made, (std::set<std::string>{"A/foo", "B/bar"}));
  EXPECT_TRUE(reused);
}

}  // namespace
}  // namespace xip::crash::test
