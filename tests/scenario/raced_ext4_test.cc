// Two tasks on ext4lite, in many schedules, each of them crashed: what holds, and that what does not hold is found.
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <xip/base/exhibits.h>
#include <xip/crash/ace.h>
#include <xip/crash/campaign.h>
#include <xip/dev/devices.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/fs_ext4lite/layout.h>

#include "crash/lone_kernel.h"
#include "crash/raced_subject.h"
#include "scenario/crash_image.h"
#include "scenario/subprocess.h"

namespace xip::crash::test {
namespace {

using testing::HasSubstr;

const std::vector<std::byte>& fresh_image() {
  static const std::vector<std::byte> image = [] {
    auto made = scenario::make_crash_image({scenario::find_tool("mke2fs"), scenario::find_tool("e2fsck")}, nullptr);
    EXPECT_TRUE(made) << made.error();
    return made ? *std::move(made) : std::vector<std::byte>(scenario::crash_image_bytes);
  }();
  return image;
}

line_class classify(std::uint64_t offset) {
  static const ext4_layout layout = [] {
    const auto memory = dev::open_memory(scenario::crash_image_bytes).value();
    EXPECT_TRUE(memory->write(0, fresh_image()));
    return ext4_layout::read(*memory).value();
  }();
  const ext4_layout::place p = layout.at(offset);
  if (p.what == ext4_layout::part::journal && p.number != 0) return {line_kind::checked, p.number};
  return {p.what == ext4_layout::part::other ? line_kind::data : line_kind::metadata};
}

struct setting {
  exhibit_set bugs;
  std::uint32_t unit = 64;
  bool windows = true;
  explore::explore_options schedules = {.strategies = {{.bound = 1}}, .max_schedules = 2000};
};

crash_campaign campaign_of(const setting& s) {
  crash_options o{.unit = s.unit, .windows = s.windows, .classify = classify, .max_states = 100, .samples = 20};
  crashed_file_system fs{.type = ext4lite_file_system(), .mount_options = s.windows ? "dax=always" : "", .exhibits = s.bugs};
  return crash_campaign{std::move(fs), fresh_image(), std::move(o), s.schedules};
}

workload workload_of(std::string_view text) { return parse_workload("test", text).value(); }
crash_campaign::result crash(std::string_view text, const setting& s = {}) { return campaign_of(s).run(workload_of(text)); }
std::string failure_of(const crash_report& r) { return r.failures.empty() ? r.broken : r.failures.front().minimised.failure; }

TEST(RacedExt4, SurvivesEverySchedule) {
  const auto r = crash("creat a\ncreat b\nwrite b 0 4096\n---\ntask 1:\nwrite a 0 100\nfsync a\ntask 2:\nunlink b\n");
  EXPECT_TRUE(r.report.passed()) << failure_of(r.report);
  ASSERT_TRUE(r.race);
  EXPECT_TRUE(r.race->complete);
  EXPECT_EQ(r.race->unexplained, 0u);
  EXPECT_GT(r.race->schedules, r.race->histories);
  EXPECT_GT(r.race->histories, 3u);
  EXPECT_GT(r.report.repeated_points, 0u);
  EXPECT_GE(r.report.meanings, 3u);
}

TEST(RacedExt4, SurvivesGeneratedPairs) {
  for (const auto& [unit, windows] : {std::pair{64u, true}, {512u, false}}) {
    setting s{.unit = unit, .windows = windows};
    s.schedules = {.strategies = {{.kind = explore::strategy_spec::type::pct, .bound = 3}}, .max_schedules = 6};
    crash_campaign all = campaign_of(s);
    for (std::uint64_t i = 0; i < raced_ace_count(1); i += 24'001) {
      const workload w = raced_ace_workload(1, i);
      const auto r = all.run(w);
      EXPECT_TRUE(r.report.passed()) << w.name << ": " << failure_of(r.report) << "\n" << text_of(w);
    }
  }
}

// The tasks' own order is kept, whoever began.
TEST(RacedExt4, FindsWhatEitherOrderLeaves) {
  const auto r = crash("creat a\n---\ntask 1:\nrename a b\nsync\ntask 2:\nrename a c\nsync\n");
  EXPECT_TRUE(r.report.passed()) << failure_of(r.report);
  EXPECT_EQ(r.report.meanings, 3u);  // a, b or c
}

// A task finds a path, another gives it away and makes that durable, and only then the first one changes what it has found.
TEST(RacedExt4, MayLoseWhatAnotherTaskHasOvertaken) {
  for (const char* text : {"creat a\n---\ntask 1:\nchmod a 600\ntask 2:\nrename a b\nfsync b\n",
                           "mkdir A\n---\ntask 1:\ncreat A/foo\ntask 2:\nrename A B\nfsync B\n",
                           // What is at the path now is not what the first task changes, so no other order explains it.
                           "creat a\nlink a d\ncreat c\n---\ntask 1:\nchmod a 600\ntask 2:\nrename c a\nfsync a\n"}) {
    const auto r = crash(text);
    EXPECT_TRUE(r.report.passed()) << failure_of(r.report) << "\n" << text;
    EXPECT_TRUE(r.race->complete);
  }
}

// A name is gone in the log, and is still found by another task, whose call is not in the log when the power fails.
TEST(RacedExt4, MayFindNamesThatAreGoneOnTheMedium) {
  const auto r = crash(
      "mkdir A\ncreat A/b\nlink A/b A/c\ncreat d\n---\ntask 1:\nunlink A/b\n"
      "task 2:\nchmod d 600\nfsync d\nsetxattr A/b user.a 8\nfsync A/b\n");
  EXPECT_TRUE(r.report.passed()) << failure_of(r.report);
  EXPECT_TRUE(r.race->complete);
}

// What W's setup leaves.
tree tree_behind(const crashed_file_system& fs, const workload& w) {
  std::vector<std::byte> bytes;
  EXPECT_EQ(set_up(fs, w, fresh_image(), bytes), "");
  const auto device = dev::open_memory(bytes.size()).value();
  EXPECT_TRUE(device->write(0, bytes));
  lone_kernel::arena memory;
  lone_kernel machine{memory};
  EXPECT_EQ(machine.mount(fs.type, *device, fs.mount_options), "");
  tree there;
  EXPECT_EQ(read_tree_of(machine.task(), there), "");
  EXPECT_EQ(machine.umount(), "");
  return there;
}

// Without a crash both the answers and what is there in the end have to be those of one order.
TEST(RacedExt4, IsExplainedByAnOrderOrHasFailed) {
  const crashed_file_system fs{.type = ext4lite_file_system(), .mount_options = "dax=always"};
  const workload w = workload_of("task 1:\nmkdir A\ntask 2:\nmkdir A\n");
  raced_subject subject{fs, w, fresh_image()};
  ASSERT_EQ(subject.calls().size(), 2u);
  std::uint32_t running = 0;
  history h{[&running] { return running; }};
  for (running = 0; running < 2; ++running) h.begin_operation(running, "mkdir A");
  for (running = 0; running < 2; ++running) h.end_operation(running);
  const tree made = tree_behind(fs, workload_of("mkdir A\n---\nsync\n")), missing = tree_behind(fs, workload_of("sync\n"));
  EXPECT_EQ(subject.take(h, std::vector{0, EEXIST}, made), "");
  EXPECT_EQ(subject.take(h, std::vector{EEXIST, 0}, made), "");
  EXPECT_THAT(subject.take(h, std::vector{0, 0}, made), HasSubstr("answers 0 in place of EEXIST"));
  EXPECT_THAT(subject.take(h, std::vector{EEXIST, EEXIST}, made), HasSubstr("answers EEXIST in place of 0"));
  EXPECT_THAT(subject.take(h, std::vector{0, EEXIST}, missing), HasSubstr("without a crash, in none of 2 orders"));
}

#if XIP_EXHIBITS
struct planted {
  exhibit_place place;
  const char* setup;
  const char* first;   // the calls of task 1
  const char* second;  // of task 2
};

class RacedBug : public testing::TestWithParam<planted> {};

INSTANTIATE_TEST_SUITE_P(
    Of, RacedBug,
    testing::Values(planted{exhibit_place::commit_trusted_early, "creat a\n", "fsync a\n", "chmod a 600\nsync\n"},
                    planted{exhibit_place::commit_number_early, "creat a\ncreat b\n", "chmod a 600\nfsync a\n", "chmod b 600\nfsync b\n"},
                    planted{exhibit_place::freed_at_freeze, "creat a\nwrite a 0 4096\ncreat b\n", "unlink a\nsync\n", "write b 0 4096\n"}),
    [](const testing::TestParamInfo<planted>& i) { return std::string{exhibit_place_name(i.param.place)}; });

// Neither is found by one task, in whichever order it makes the same calls.
TEST_P(RacedBug, IsFoundOnlyWhereTwoTasksMeetAndThePowerFails) {
  const planted& p = GetParam();
  const setting s{.bugs = p.place};
  const auto raced = crash(fmt::format("{}---\ntask 1:\n{}task 2:\n{}", p.setup, p.first, p.second), s);
  ASSERT_EQ(raced.report.failures.size(), 1u) << raced.report.broken;
  EXPECT_FALSE(raced.report.failures.front().minimised.uncrashed) << failure_of(raced.report);
  for (const auto& [first, second] : {std::pair{p.first, p.second}, {p.second, p.first}}) {
    const auto alone = crash(fmt::format("{}---\n{}{}", p.setup, first, second), s);
    EXPECT_TRUE(alone.report.passed()) << failure_of(alone.report);
  }
}

TEST_P(RacedBug, IsReplayedFromItsToken) {
  const planted& p = GetParam();
  const setting s{.bugs = p.place};
  const workload w = workload_of(fmt::format("{}---\ntask 1:\n{}task 2:\n{}", p.setup, p.first, p.second));
  const auto r = campaign_of(s).run(w);
  ASSERT_EQ(r.report.failures.size(), 1u);
  const found_failure& found = r.report.failures.front();
  std::vector<std::byte> image;
  for (const state_report* state : {&found.first, &found.minimised}) {
    crash_campaign fresh = campaign_of(s);
    const auto again = fresh.replay(w, state->token, image);
    ASSERT_TRUE(again) << again.error();
    EXPECT_EQ(again->failure, state->failure);
    EXPECT_EQ(again->token, state->token);
    EXPECT_EQ(again->moment, state->moment);
    EXPECT_EQ(again->schedule, state->schedule);
    EXPECT_EQ(image.size(), scenario::crash_image_bytes);
  }
  EXPECT_FALSE(found.minimised.schedule.empty());
  const auto passes = campaign_of({}).replay(w, found.minimised.token, image);
  EXPECT_TRUE(!passes || passes->failure.empty());
  setting words = s;
  words.unit = 8;
  EXPECT_THAT(campaign_of(words).replay(w, found.minimised.token, image).error(), HasSubstr("atomic unit"));
}

// Both write where the file had ended before either did.
TEST(RacedExt4, ShowsWhatIsWrongWithoutACrash) {
  const setting s{.bugs = exhibit_place::append_place_unlocked};
  const workload w = workload_of("creat a\n---\ntask 1:\nwrite a 0 5 append\ntask 2:\nwrite a 0 7 append\n");
  const auto r = campaign_of(s).run(w);
  ASSERT_EQ(r.report.failures.size(), 1u);
  const state_report& found = r.report.failures.front().minimised;
  EXPECT_TRUE(found.uncrashed);
  EXPECT_THAT(found.failure, HasSubstr("without a crash, in none of"));
  std::vector<std::byte> image;
  const auto again = campaign_of(s).replay(w, found.token, image);
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->failure, found.failure);
  EXPECT_EQ(again->token, found.token);
}
#endif

}  // namespace
}  // namespace xip::crash::test
