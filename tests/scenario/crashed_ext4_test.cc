// ext4lite under the crash engine: what holds, and that what does not hold is found.
#include <cstring>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <xip/crash/ace.h>
#include <xip/crash/campaign.h>
#include <xip/dev/devices.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/fs_ext4lite/layout.h>

#include "scenario/crash_image.h"
#include "scenario/subprocess.h"

namespace xip::crash::test {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t image_bytes = scenario::crash_image_bytes;

const std::vector<std::byte>& fresh_image() {
  static const std::vector<std::byte> image = [] {
    auto made = scenario::make_crash_image({scenario::find_tool("mke2fs"), scenario::find_tool("e2fsck")}, nullptr);
    EXPECT_TRUE(made) << made.error();
    return made ? *std::move(made) : std::vector<std::byte>(image_bytes);
  }();
  return image;
}

const ext4_layout& layout() {
  static const ext4_layout known = [] {
    const auto memory = dev::open_memory(image_bytes).value();
    EXPECT_TRUE(memory->write(0, fresh_image()));
    return ext4_layout::read(*memory).value();
  }();
  return known;
}

line_class classify(std::uint64_t offset) {
  const ext4_layout::place p = layout().at(offset);
  if (p.what == ext4_layout::part::journal && p.number != 0) return {line_kind::checked, p.number};
  return {p.what == ext4_layout::part::other ? line_kind::data : line_kind::metadata};
}

crash_options usual(std::uint32_t unit, bool windows) {
  return {.unit = unit, .windows = windows, .classify = classify, .max_states = 300, .samples = 50, .repeat_every = 50};
}

crash_report crash(std::string_view text, std::uint32_t unit = 64,
                   crashed_file_system fs = {.type = ext4lite_file_system(), .mount_options = "dax=always"}) {
  const auto w = parse_workload("test", text);
  if (!w) {
    crash_report r;
    r.broken = w.error();
    return r;
  }
  return crash_campaign{std::move(fs), fresh_image(), usual(unit, true)}.run(*w).report;
}

std::string failure_of(const crash_report& r) { return r.failures.empty() ? r.broken : r.failures.front().minimised.failure; }

struct setting {
  const char* name;
  std::uint32_t unit;
  bool windows;
};

class CrashedExt4 : public testing::TestWithParam<setting> {};

INSTANTIATE_TEST_SUITE_P(At, CrashedExt4,
                         testing::Values(setting{"Words", 8, true}, setting{"Lines", 64, true}, setting{"Sectors", 512, false},
                                         setting{"Blocks", 4096, false}),
                         [](const testing::TestParamInfo<setting>& i) { return std::string{i.param.name}; });

// All of them: `xip crash --ace 1`. Here some of each kind, with pairs.
TEST_P(CrashedExt4, SurvivesGeneratedWorkloads) {
  const setting& s = GetParam();
  crash_campaign all{
      {.type = ext4lite_file_system(), .mount_options = s.windows ? "dax=always" : ""}, fresh_image(), usual(s.unit, s.windows)};
  std::uint64_t states = 0;
  for (const auto& [length, step] : {std::pair{1u, 97u}, {2u, 60'013u}})
    for (std::uint64_t i = 0; i < ace_count(length); i += step) {
      const workload w = ace_workload(length, i);
      const crash_report r = all.run(w).report;
      EXPECT_TRUE(r.passed()) << w.name << ": " << failure_of(r) << "\n" << text_of(w);
      states += r.states;
    }
  EXPECT_GT(states, 50u);
}

TEST(CrashedFileSystem, IsFoundAsItWasBeforeOrBehindAStep) {
  const crash_report r = crash("mkdir A\n---\ncreat A/a\nfsync A/a\nrename A/a A/b\nfsync A\n");
  EXPECT_TRUE(r.passed()) << failure_of(r);
  EXPECT_EQ(r.meanings, 3u);
  EXPECT_TRUE(r.complete());
}

// An fsync and a write by the name of a symlink are of the file that it leads to.
TEST(CrashedFileSystem, IsReachedThroughSymlinks) {
  const crash_report synced = crash("creat a\n---\nsymlink a b\nfsync b\n");
  EXPECT_TRUE(synced.passed()) << failure_of(synced);
  const crash_report written = crash("creat a\n---\nsymlink a b\nwrite b 0 100\nfdatasync b\n");
  EXPECT_TRUE(written.passed()) << failure_of(written);
  EXPECT_GE(written.meanings, 2u);
}

// What another judge does not like, of the image that a recovery has left or of the emptied one, fails the state.
TEST(CrashedFileSystem, IsJudgedByOthersToo) {
  crashed_file_system fs{.type = ext4lite_file_system(), .mount_options = "dax=always"};
  fs.check = [](std::span<const std::byte> image) { return image.size() == image_bytes ? "not liked" : "no image"; };
  EXPECT_EQ(failure_of(crash("creat /a\nsync\n", 64, fs)), "afterwards: not liked");
  fs.check_every = 1;
  EXPECT_EQ(failure_of(crash("creat /a\nsync\n", 64, fs)), "not liked");
}

// Two recoveries of one crash find the same, or the state fails.
TEST(CrashedFileSystem, IsRecoveredByOthersInTheSameWay) {
  const char* const text = "creat /a\nfsync /a\nwrite /a 0 5000\nrename /a /b\nfsync /b\nunlink /b\nsync\n";
  const scenario::tools use{scenario::find_tool("mke2fs"), scenario::find_tool("e2fsck")};
  auto e2fsck = scenario::crash_judge::make(use);
  ASSERT_TRUE(e2fsck) << e2fsck.error();
  crashed_file_system fs{.type = ext4lite_file_system(), .mount_options = "dax=always", .check_every = 1};
  fs.recover_elsewhere = [&](std::span<std::byte> image) { return e2fsck->recover(image); };
  const crash_report r = crash(text, 64, fs);
  EXPECT_TRUE(r.passed()) << failure_of(r);
  EXPECT_GT(e2fsck->images(), 50u);
  fs.recover_elsewhere = [](std::span<std::byte> image) {
    std::ranges::copy(fresh_image(), image.begin());
    return "";
  };
  EXPECT_THAT(failure_of(crash(text, 64, fs)), HasSubstr("another recovery: it leaves '/lost+found"));
  EXPECT_THAT(failure_of(crash(text, 64, fs)), HasSubstr("where the mount finds '/a "));
  fs.recover_elsewhere = [](std::span<std::byte>) { return "not mine"; };
  EXPECT_EQ(failure_of(crash(text, 64, fs)), "another recovery: not mine");
}

// Behind each recovery everything goes, lost+found too, and before that every directory takes one more file.
TEST(CrashedFileSystem, IsEmptiedAndFilledAfterwards) {
  const auto free_inodes = [](std::span<const std::byte> image) {
    std::uint32_t count = 0;
    std::memcpy(&count, image.data() + 1024 + 16, sizeof count);  // s_free_inodes_count
    return count;
  };
  crashed_file_system fs{.type = ext4lite_file_system(), .mount_options = "dax=always"};
  fs.check = [&](std::span<const std::byte> image) { return free_inodes(image) == free_inodes(fresh_image()) + 1 ? "" : "not emptied"; };
  EXPECT_EQ(failure_of(crash("mkdir A\ncreat A/a\n---\nlink A/a A/b\nsync\n", 64, fs)), "");

  std::string all_inodes;
  for (std::uint32_t i = 0; i < free_inodes(fresh_image()); ++i) all_inodes += fmt::format("creat f{}\n", i);
  EXPECT_EQ(failure_of(crash(all_inodes + "---\nchmod f0 600\nsync\n")), "afterwards: /afterwards cannot be made: ENOSPC");
}

TEST(CrashedFileSystem, SaysWhenASetupFails) { EXPECT_EQ(crash("rmdir A\n---\nsync\n").broken, "the setup's 'rmdir A' says ENOENT"); }

TEST(CrashedFileSystem, RemembersWhatWasRefused) {
  const auto w = parse_workload("test", "mkdir A\nmkdir A\nrmdir B\nwrite @3 0 1\nsync\n").value();
  crash_campaign one{{.type = ext4lite_file_system()}, fresh_image(), usual(64, true)};
  EXPECT_THAT(one.run(w).answers, testing::ElementsAre(0, EEXIST, ENOENT, EBADF, 0));
}

TEST(CrashedFileSystem, IsReplayedFromAToken) {
  crashed_file_system fs{.type = ext4lite_file_system(), .mount_options = "dax=always"};
  fs.check = [](std::span<const std::byte>) { return "not liked"; };
  fs.check_every = 1;
  crash_campaign one{fs, fresh_image(), usual(64, true)};
  const auto w = parse_workload("test", "creat /a\nsync\n").value();
  const crash_report r = one.run(w).report;
  ASSERT_EQ(r.failures.size(), 1u);
  std::vector<std::byte> image;
  const auto again = one.replay(w, r.failures.front().minimised.token, image);
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->failure, "not liked");
  EXPECT_EQ(image.size(), image_bytes);
}

#if XIP_EXHIBITS
crashed_file_system with_bug(exhibit_place p) { return {.type = ext4lite_file_system(), .mount_options = "dax=always", .exhibits = p}; }

TEST(CrashedFileSystem, ShowsACommitBeforeItsBlocks) {
  EXPECT_THAT(failure_of(crash("creat /a\nfsync /a\n", 64, with_bug(exhibit_place::commit_before_data))),
              HasSubstr("the checksum of block"));
}

TEST(CrashedFileSystem, ShowsBytesThatAreNotThere) {
  EXPECT_THAT(failure_of(crash("creat /a\nwrite /a 0 4096\n---\nwrite /a 0 4096 dsync\n", 64, with_bug(exhibit_place::drain_missing))),
              HasSubstr("at byte"));
}

TEST(CrashedFileSystem, ShowsAStrangersBytes) {
  EXPECT_THAT(failure_of(crash("creat /a\n---\nwrite /a 100 100\nsync\n", 64, with_bug(exhibit_place::fresh_block_not_zeroed))),
              HasSubstr("behind 'write /a 100 100', without a crash, /a has at byte 0 f5 in place of 00"));
}

TEST(CrashedFileSystem, ShowsAnFsyncThatForgets) {
  EXPECT_THAT(failure_of(crash("creat /a\n---\nwrite /a 0 100 sync\n", 64, with_bug(exhibit_place::sync_write_ignored))),
              HasSubstr("after step 1 (write /a 0 100 sync): /a is"));
}
#endif

}  // namespace
}  // namespace xip::crash::test
