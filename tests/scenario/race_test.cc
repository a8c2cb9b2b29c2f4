// Races under the explorer and on threads: right ones pass, planted ones are found, and a token is one schedule.
#include <array>
#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/scenario/race.h>

#include "scenario/check_fixture.h"
#include "scenario/race_explorer.h"
#include "scenario/race_image.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

using testing::HasSubstr;

// Each task adds one to a number in a file: reads, then writes. Between the two another may have written.
struct lost_update : race {
  int fd = -1;
  void setup() {
    fd = create("number");
    const std::uint64_t zero = 0;
    must(task().pwrite(fd, &zero, sizeof zero, 0));
  }
  void add(vfs::task& me) {
    std::uint64_t number = 0;
    must(me.pread(fd, &number, sizeof number, 0));
    ++number;
    must(me.pwrite(fd, &number, sizeof number, 0));
  }
  void check() {
    std::uint64_t number = 0;
    must(task().pread(fd, &number, sizeof number, 0));
    expect_equal(number, 2u, "the sum");
  }
};

// Two writes of one block each are taken for one write of two.
struct torn_write : race {
  observed_file file;
  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 2 * block(), 1);
  }
  void writer(vfs::task& me) {
    put(me, file.fd(), 0, block(), {.file = 1, .generation = 2});
    put(me, file.fd(), block(), block(), {.file = 1, .generation = 2});
  }
  void reader(vfs::task& me) { file.read(me, 0, 2 * block()); }
};

// Only when the file is empty at the end is the image one that e2fsck dislikes.
struct damage : race {
  observed_file file;
  void setup() { file = observe("file", 1); }
  void writer(vfs::task& me) { file.write(me, 0, 100, 1); }
  void cutter(vfs::task& me) { file.truncate(me, 0); }
  void check() {
    if (must(task().fstat(file.fd())).size != 0) return;
    // The first block of lost+found, which nobody has changed: inode 11, twelve bytes, a directory, ".".
    constexpr std::array<unsigned char, 9> beginning{11, 0, 0, 0, 12, 0, 1, 2, '.'};
    std::array<std::byte, page_size> bytes;
    for (std::uint64_t at = 0; at < device().size(); at += page_size) {
      must(device().read(at, bytes));
      if (std::memcmp(bytes.data(), beginning.data(), beginning.size()) != 0) continue;
      bytes.fill(std::byte{0x55});
      must(device().write(at, bytes));
    }
  }
};

struct logs_an_error : race {
  void setup() {}
  void one(vfs::task&) { kernel().printk(vfs::log_level::error, "something is wrong"); }
  void other(vfs::task&) {}
};

struct harmless : race {
  observed_file file;
  int rounds = 0;  // goes back
  void setup() { file = observe("file", 1); }
  void one(vfs::task& me) {
    ++rounds;
    file.append(me, 100, 1);
  }
  void other(vfs::task& me) { file.append(me, 200, 2); }
  void check() {
    expect_equal(rounds, 1, "the scene is as the setup left it");
    expect_equal(must(task().fstat(file.fd())).size, 300, "the size");
  }
};

// As if one task had given back a block that the other is given afterwards.
struct gives_back_twice : race {
  void setup() {}
  void one(vfs::task&) { device().observer()->on_free(pblk_t{200}, 1); }
  void other(vfs::task&) { device().observer()->on_free(pblk_t{200}, 1); }
};

// As if what was written lasted without a sync.
struct trusts_the_cache : race {
  int fd = -1;
  bool written = false;
  void setup() {
    fd = create("file");
    put(task(), fd, 0, 4096, {.file = 1, .generation = 1});
  }
  void writer(vfs::task& me) {
    put(me, fd, 0, 4096, {.file = 1, .generation = 2});
    must(me.ftruncate(fd, 8192));
    written = true;
    power_may_fail();
  }
  void other(vfs::task&) {}
  void recovered(vfs::task& me) {
    const auto size = must(me.stat("/file")).size;
    expect_equal(size, written ? 8192 : 4096, "the size after a crash");
  }
};

// The same, and asks for no more than there is.
struct syncs : trusts_the_cache {
  bool synced = false;
  void writer(vfs::task& me) {
    must(me.ftruncate(fd, 8192));
    must(me.fsync(fd));
    synced = true;
    power_may_fail();
  }
  void recovered(vfs::task& me) {
    const auto size = must(me.stat("/file")).size;
    expect(size == 8192 || (size == 4096 && !synced), "the size after a crash");
  }
};

constexpr race_member<trusts_the_cache> trusting_tasks[] = {{"writer", &trusts_the_cache::writer}, {"other", &trusts_the_cache::other}};
constexpr race_member<syncs> syncing_tasks[] = {{"writer", &syncs::writer}, {"other", &syncs::other}};
constexpr race_member<lost_update> lost_update_tasks[] = {{"a", &lost_update::add}, {"b", &lost_update::add}};
constexpr race_member<torn_write> torn_write_tasks[] = {{"writer", &torn_write::writer}, {"reader", &torn_write::reader}};
constexpr race_member<damage> damage_tasks[] = {{"writer", &damage::writer}, {"cutter", &damage::cutter}};
constexpr race_member<logs_an_error> log_tasks[] = {{"one", &logs_an_error::one}, {"other", &logs_an_error::other}};
constexpr race_member<gives_back_twice> give_back_tasks[] = {{"one", &gives_back_twice::one}, {"other", &gives_back_twice::other}};
constexpr race_member<harmless> harmless_tasks[] = {{"one", &harmless::one}, {"other", &harmless::other}};

template <class Scene, const auto& Members>
void rounds(run& t) {
  run_race_rounds(t, race_plan_of<Scene, Members>::plan);
}
template <class Scene, const auto& Members>
constexpr scenario planted_race(std::string_view name) {
  return {name, "race", "planted", {}, rounds<Scene, Members>, &race_plan_of<Scene, Members>::plan};
}

constexpr scenario all_races[] = {
    planted_race<lost_update, lost_update_tasks>("race/101"),
    planted_race<torn_write, torn_write_tasks>("race/102"),
    planted_race<damage, damage_tasks>("race/103"),
    planted_race<logs_an_error, log_tasks>("race/104"),
    planted_race<harmless, harmless_tasks>("race/105"),
    planted_race<gives_back_twice, give_back_tasks>("race/106"),
    planted_race<trusts_the_cache, trusting_tasks>("race/107"),
    planted_race<syncs, syncing_tasks>("race/108"),
};

const race_ground& ground() {
  static const race_ground prepared = prepare_race_ground().value_or(race_ground{});
  return prepared;
}

// Goes with the object.
struct scratch_directory {
  std::string path = testing::TempDir() + "/xip-test-XXXXXX";
  scratch_directory() { EXPECT_NE(::mkdtemp(path.data()), nullptr); }
  ~scratch_directory() { std::filesystem::remove_all(path); }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;
};

[[nodiscard]] std::string text_of_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  return text.str();
}

class Races : public testing::Test {
 protected:
  void SetUp() override {
    if (find_tool("mke2fs").empty() || find_tool("e2fsck").empty()) GTEST_SKIP() << "no e2fsprogs";
    ASSERT_FALSE(ground().image.empty());
  }
  [[nodiscard]] static explore::explore_options with(const char* strategy) {
    explore::explore_options o;
    o.strategies = {*explore::parse_strategy(strategy)};
    return o;
  }
  [[nodiscard]] static std::unique_ptr<race_explorer> explorer(std::size_t which, explore::explore_options o) {
    return std::make_unique<race_explorer>(all_races[which], ext4lite_file_system(), ground(), race_conditions{}, std::move(o));
  }
  // The failure that exploring finds.
  [[nodiscard]] static explore::schedule_report failure_of(std::size_t which) {
    const auto e = explorer(which, with("bound=1"));
    explore::report r = e->run();
    EXPECT_EQ(r.failures.size(), 1u);
    return r.failures.empty() ? explore::schedule_report{} : std::move(r.failures[0].minimised);
  }
};

TEST_F(Races, ImageIsTheSameBytesEachTime) {
  EXPECT_EQ(ground().image.size(), race_image_bytes);
  EXPECT_TRUE(make_race_image(ground().use) == ground().image);
}

TEST_F(Races, ACrashLosesWhatWasNotSynced) {
  const explore::schedule_report s = failure_of(6);
  EXPECT_EQ(oracle_of(s), "crash state");
  EXPECT_THAT(s.text, HasSubstr("nothing arrives"));
  EXPECT_THAT(s.text, HasSubstr("the size after a crash"));
}

TEST_F(Races, ACrashLeavesWhatWasSynced) {
  const auto e = explorer(7, with("bound=1"));
  const explore::report r = e->run();
  EXPECT_TRUE(r.passed()) << r.failures[0].first.text;
  EXPECT_GE(e->crash_states(), 2u);
}

TEST_F(Races, HarmlessOneIsExploredToItsEnd) {
  const auto e = explorer(4, with("bound=1"));
  const explore::report r = e->run();
  EXPECT_TRUE(r.passed()) << r.failures[0].first.text;
  EXPECT_TRUE(r.complete);
  EXPECT_GT(r.schedules, 20u);
  EXPECT_GE(e->images(), 2u);  // either append may come first
  EXPECT_LT(e->images(), r.schedules);
}

TEST_F(Races, LostUpdateIsFound) {
  const explore::schedule_report s = failure_of(0);
  EXPECT_EQ(s.failed, explore::failure_kind::check);
  EXPECT_THAT(s.text, HasSubstr("the sum\nexpected: 2\nfound:    1"));
  EXPECT_EQ(s.preemptions, 1u);
}

TEST_F(Races, AnswersThatNoOrderExplainsAreFound) {
  const explore::schedule_report s = failure_of(1);
  EXPECT_EQ(s.failed, explore::failure_kind::check);
  EXPECT_THAT(s.text, HasSubstr("no order of the calls explains their answers"));
  EXPECT_THAT(s.text, HasSubstr("file 1 generation 2"));
}

TEST_F(Races, DamagedImageIsFoundInTheScheduleThatLeavesIt) {
  const explore::schedule_report s = failure_of(2);
  EXPECT_EQ(s.failed, explore::failure_kind::check);
  EXPECT_THAT(s.text, HasSubstr("e2fsck: the image is damaged: e2fsck -fn ended with exit code"));
}

TEST_F(Races, MisuseOfABlockIsAFailure) {
  const explore::schedule_report found = failure_of(5);
  EXPECT_EQ(found.failed, explore::failure_kind::reported);
  EXPECT_THAT(found.text, HasSubstr("freed twice"));
  EXPECT_THAT(found.text, HasSubstr("200"));
}

TEST_F(Races, ErrorInTheLogIsAFailure) {
  const explore::schedule_report s = failure_of(3);
  EXPECT_EQ(s.failed, explore::failure_kind::reported);
  EXPECT_EQ(s.text, "error log: something is wrong");
}

TEST_F(Races, ThousandReplaysOfOneTokenAreOneTrace) {
  const auto e = explorer(0, with("bound=1"));
  const explore::report r = e->run();
  ASSERT_EQ(r.failures.size(), 1u);
  const explore::schedule_report& found = r.failures[0].first;
  std::string story;
  for (int i = 0; i < 1000; ++i) {
    const auto again = e->replay(found.token);
    ASSERT_TRUE(again.has_value()) << again.error();
    ASSERT_EQ(again->failed, explore::failure_kind::check);
    ASSERT_EQ(again->trace_hash, found.trace_hash);
    std::string told;
    for (const explore::event& event : again->trace) told += explore::format_event(event, again->tasks) + "\n";
    if (i == 0) story = told;
    ASSERT_EQ(told, story);
  }
}

TEST_F(Races, AnotherExplorerUnderstandsTheToken) {
  const explore::schedule_report s = failure_of(0);
  const auto again = explorer(0, {})->replay(s.token);
  ASSERT_TRUE(again.has_value()) << again.error();
  EXPECT_EQ(again->trace_hash, s.trace_hash);
  const auto foreign = explorer(4, {})->replay(s.token);
  ASSERT_FALSE(foreign.has_value());
  EXPECT_EQ(foreign.error(), "the token is of program 'race/101', this is 'race/105'");
}

class ExploreCommand : public Races {
 protected:
  // Whoever shares these tests out does not mean their explorations.
  ExploreCommand() {
    ::unsetenv("GTEST_SHARD_INDEX");
    ::unsetenv("GTEST_TOTAL_SHARDS");
  }
  [[nodiscard]] static called explore(std::vector<std::string> words) {
    static constexpr auto pointers = [] {
      std::array<const scenario*, std::size(all_races) + 1> p{};
      for (std::size_t i = 0; i < std::size(all_races); ++i) p[i] = &all_races[i];
      p.back() = &no_race;
      return p;
    }();
    words.insert(words.begin(), "explore");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = explore_command(static_cast<int>(words.size()), argv.data(),
                                     {.type = ext4lite_file_system(), .scenarios = pointers, .program = "xip explore"});
    return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
  }
  [[nodiscard]] static std::string token_in(const std::string& text) {
    const std::size_t at = text.rfind("--replay ") + 9;
    return text.substr(at, text.find('\n', at) - at);
  }

 private:
  static constexpr scenario no_race{"plant/001", "auto", "no race", {}, [](run&) {}};
};

TEST_F(ExploreCommand, ListsRacesAndNothingElse) {
  const called c = explore({"--list"});
  EXPECT_EQ(c.exit_code, 0);
  EXPECT_EQ(c.out, "race/101\nrace/102\nrace/103\nrace/104\nrace/105\nrace/106\nrace/107\nrace/108\n");
}

TEST_F(ExploreCommand, PassesAndSaysHowMuch) {
  const called c = explore({"race/105", "--bound", "1"});
  EXPECT_EQ(c.exit_code, 0) << c.err;
  EXPECT_THAT(c.out, testing::MatchesRegex("race/105 [0-9.]+s bound=1 [0-9]+ \\(all\\), [0-9]+/s, [0-9]+ point pairs, [0-9]+ images\n"
                                           "1 race passed, 0 failed; [0-9]+ schedules, [0-9]+/s\n"));
}

TEST_F(ExploreCommand, PrintsACommandThatRepeatsTheFailure) {
  const called c = explore({"race/101", "--bound", "1"});
  EXPECT_EQ(c.exit_code, 1);
  EXPECT_THAT(c.out, HasSubstr("race/101"));
  EXPECT_THAT(c.out, HasSubstr("    xip explore race/101 --replay x1.race/101."));
  for (const bool named : {true, false}) {
    const called again = named ? explore({"race/101", "--replay", token_in(c.out)}) : explore({"--replay", token_in(c.out)});
    EXPECT_EQ(again.exit_code, 1);
    EXPECT_THAT(again.out, HasSubstr("race/101 [failed] check: "));
    EXPECT_THAT(again.out, HasSubstr("found:    1"));
  }
}

TEST_F(ExploreCommand, RefusesForeignTokensByName) {
  const std::string token = token_in(explore({"race/101", "--bound", "1"}).out);
  const called c = explore({"race/105", "--replay", token});
  EXPECT_EQ(c.exit_code, 2);
  EXPECT_EQ(c.err, "xip explore: the token is of program 'race/101', this is 'race/105'\n");
}

TEST_F(ExploreCommand, PartsAreTheWhole) {
  const auto schedules = [](const called& c) {
    EXPECT_EQ(c.exit_code, 0) << c.err;
    const std::size_t at = c.out.find("; ") + 2;
    return std::stoul(c.out.substr(at));
  };
  const unsigned long whole = schedules(explore({"race/105", "--bound", "1"}));
  EXPECT_EQ(schedules(explore({"race/105", "--bound", "1", "--shard", "1/2"})) +
                schedules(explore({"race/105", "--bound", "1", "--shard", "2/2"})),
            whole);
  ::setenv("GTEST_SHARD_INDEX", "1", 1);
  ::setenv("GTEST_TOTAL_SHARDS", "2", 1);
  const unsigned long second = schedules(explore({"race/105", "--bound", "1"}));
  const called wrong = (::setenv("GTEST_SHARD_INDEX", "2", 1), explore({"race/105"}));
  ::unsetenv("GTEST_SHARD_INDEX");
  ::unsetenv("GTEST_TOTAL_SHARDS");
  EXPECT_EQ(second, schedules(explore({"race/105", "--bound", "1", "--shard", "2/2"})));
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("GTEST_SHARD_INDEX=2 of GTEST_TOTAL_SHARDS=2 is no part of anything"));
}

TEST_F(ExploreCommand, RefusesWhatItDoesNotKnow) {
  const auto refused = [](std::vector<std::string> words) {
    const called c = explore(std::move(words));
    EXPECT_EQ(c.exit_code, 2);
    EXPECT_EQ(c.out, "");
    return c.err;
  };
  EXPECT_THAT(refused({"race/999"}), HasSubstr("there is no scenario 'race/999'"));
  EXPECT_THAT(refused({"plant/001"}), HasSubstr("'plant/001' is no race"));
  EXPECT_THAT(refused({"--strategy", "luck"}), HasSubstr("--strategy takes bound=N, exhaustive, pct=N or random, not 'luck'"));
  EXPECT_THAT(refused({"--strategy", "random", "--bound", "2"}), HasSubstr("--bound goes with"));
  EXPECT_THAT(refused({"--bound", "x"}), HasSubstr("--bound takes a number, not 'x'"));
  EXPECT_THAT(refused({"--schedules", "0"}), HasSubstr("--schedules takes a positive number"));
  EXPECT_THAT(refused({"--shard", "3/2"}), HasSubstr("--shard takes I/N"));
  EXPECT_THAT(refused({"--replay"}), HasSubstr("option '--replay' needs a value"));
  EXPECT_THAT(refused({"--frobnicate"}), HasSubstr("unknown option '--frobnicate'"));
  EXPECT_THAT(refused({"--replay", "x1.race/101.AAAA"}), HasSubstr("malformed"));
  EXPECT_THAT(refused({"race/*", "--replay", "x1.race/101.AAAA"}), HasSubstr("--replay takes one race, not 8"));
}

TEST_F(ExploreCommand, DrawsTheScheduleThatFails) {
  const scratch_directory dir;
  const std::string page = dir.path + "/page.html", trace = dir.path + "/trace.json";
  const called c = explore({"race/105", "race/101", "--bound", "1", "--timeline", page, "--trace", trace});
  EXPECT_EQ(c.exit_code, 1) << c.err;
  EXPECT_EQ(c.err, "");
  EXPECT_THAT(text_of_file(page), HasSubstr("--replay " + token_in(c.out)));
  EXPECT_THAT(text_of_file(page), HasSubstr("race/101: planted"));
  EXPECT_THAT(text_of_file(trace), HasSubstr("\"traceEvents\""));
  const called again = explore({"--replay", token_in(c.out), "--trace", trace});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(text_of_file(trace), HasSubstr("i_rwsem"));
}

TEST_F(ExploreCommand, DrawsTheUsualScheduleWhereNoneFails) {
  const scratch_directory dir;
  const std::string page = dir.path + "/page.html";
  const called c = explore({"race/105", "--bound", "0", "--timeline", page});
  EXPECT_EQ(c.exit_code, 0) << c.err;
  EXPECT_EQ(c.err, "xip explore: no schedule failed; drawn is the usual one of race/105\n");
  EXPECT_THAT(text_of_file(page), HasSubstr("This schedule passed"));
}

TEST_F(ExploreCommand, SaysWhichPictureCannotBeWrittenBeforeItRuns) {
  EXPECT_EQ(explore({"race/105", "--timeline", "/nowhere/both", "--trace", "/nowhere/both"}).exit_code, 2) << "one file cannot hold both";
  const called c = explore({"race/105", "--timeline", "/nowhere/page.html"});
  EXPECT_EQ(c.exit_code, 3);
  EXPECT_EQ(c.out, "");
  EXPECT_THAT(c.err, HasSubstr("/nowhere/page.html"));
}

TEST_F(ExploreCommand, ReportsAsJson) {
  const called c = explore({"race/101", "race/105", "--strategy", "pct", "--bound", "2", "--schedules", "50", "--json"});
  EXPECT_EQ(c.exit_code, 1);
  for (const char* part : {"\"name\": \"race/105\"", "\"status\": \"failed\"", "\"strategy\": \"pct=2\"", "\"token\": \"x1.race/101.",
                           "\"switched_at\"", "\"trace_hash\"", "\"image\""})
    EXPECT_THAT(c.out, HasSubstr(part));
}

}  // namespace
}  // namespace xip::scenario
