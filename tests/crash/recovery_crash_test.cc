// The power fails in the mount that follows a crash: while the log is brought home, while orphans are dealt with. Whatever is left, the next mount finds what an
// undisturbed one has found, and e2fsck is content.
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/crash/campaign.h>
#include <xip/crash/classify_layout.h>
#include <xip/fs_ext4lite/ext4lite.h>

#include "crash/ext4_image.h"

namespace xip::crash::test {
namespace {

// A log with several transactions. A directory's block is in it, freed by a later one (a revoke); two files without a name are open, one of them of many extents.
constexpr const char* dirty = R"(
mkdir A
creat A/foo
creat A/bar
creat A/baz
write A/foo 0 5000
write A/bar 0 4096
write A/bar 8192 4096
write A/bar 16384 4096
write A/bar 24576 4096
write A/bar 32768 4096
sync
open 1 A/bar
open 2 A/baz
unlink A/bar
unlink A/baz
rename A/foo foo
rmdir A
fsync foo
mkdir B
setxattr foo user.a 300
fsync B
cut
---
mount
)";

struct setting {
  const char* name;
  std::uint32_t unit;
  bool windows;
  const char* mkfs = "-t ext4 -b 4096 -N 64 -m 0";
};

// An image, crashed under a workload, and what was seen meanwhile.
class crashed_image {
 public:
  explicit crashed_image(const setting& s) : how_{s}, fresh_{make_image(s.mkfs, 8)}, layout_{layout_of(fresh_)} {}

  [[nodiscard]] crash_campaign::result run(std::string_view text, std::optional<ordering_site> without = {}) {
    crashed_file_system fs{.type = ext4lite_file_system(), .mount_options = how_.windows ? "dax=always" : "", .check_every = 10};
    fs.check = [this](std::span<const std::byte> bytes) {
      ++checked;
      return e2fsck_against(bytes);
    };
    fs.without = without;
    return crash_campaign{std::move(fs), fresh_, options()}.run(parse_workload("dirty", text).value());
  }

  std::uint64_t states_in_mount = 0, checked = 0;
  std::set<std::string> trees;

 private:
  [[nodiscard]] crash_options options() {
    crash_options o{.unit = how_.unit, .windows = how_.windows, .classify = classify_by(layout_), .max_states = 200, .samples = 40};
    o.on_state = [this](const state_seen& s) {
      states_in_mount += s.at.in_progress.empty() ? 0 : 1;
      trees.insert(s.meaning);
    };
    return o;
  }

  setting how_;
  std::vector<std::byte> fresh_;
  std::shared_ptr<const ext4_layout> layout_;
};

std::string failure_of(const crash_report& r) { return r.failures.empty() ? r.broken : r.failures.front().minimised.failure; }

class CrashedRecovery : public testing::TestWithParam<setting> {};

INSTANTIATE_TEST_SUITE_P(At, CrashedRecovery,
                         testing::Values(setting{"Words", 8, true}, setting{"Lines", 64, true}, setting{"SectorsOfMemory", 512, true},
                                         setting{"BlocksOfMemory", 4096, true}, setting{"Sectors", 512, false},
                                         setting{"Blocks", 4096, false},
                                         setting{"OrphanFile", 64, true, "-t ext4 -b 4096 -N 64 -m 0 -O orphan_file"},
                                         setting{"OrphanFileOfSectors", 512, false, "-t ext4 -b 4096 -N 64 -m 0 -O orphan_file"},
                                         setting{"LinesWithoutChecksums", 64, true, "-t ext4 -b 4096 -N 64 -m 0 -O ^metadata_csum"}),
                         [](const testing::TestParamInfo<setting>& i) { return std::string{i.param.name}; });

TEST_P(CrashedRecovery, IsRecoveredToTheSame) {
  crashed_image image{GetParam()};
  const crash_report r = image.run(dirty).report;
  EXPECT_TRUE(r.passed()) << failure_of(r);
  EXPECT_FALSE(r.stopped);
  EXPECT_GT(r.points, 4u);
  EXPECT_GT(image.states_in_mount, 5u);
  EXPECT_GT(image.checked, 0u);
  EXPECT_EQ(image.trees.size(), 1u) << "one tree, at every moment";
}

// The orphans go in the transaction that the mount has begun: before it is durable, on its way, and behind it.
TEST_P(CrashedRecovery, MayEndWithASync) {
  crashed_image image{GetParam()};
  const crash_campaign::result r = image.run(std::string{dirty} + "sync\numount\n");
  EXPECT_TRUE(r.report.passed()) << failure_of(r.report);
  EXPECT_THAT(r.answers, testing::ElementsAre(0, 0, 0));
}

// What the mount brings home has to be there before the log is given up.
TEST(RecoveryThatDoesNotWait, IsFoundOut) {
  crashed_image image{{"Lines", 64, true}};
  std::set<std::string> missed;
  for (const ordering_site& site : image.run(dirty).waits)
    if (site.by == ordering_site::wait::flush && !image.run(dirty, site).report.passed()) missed.insert(name_of(site));
  EXPECT_THAT(missed, testing::Not(testing::IsEmpty()));
}

}  // namespace
}  // namespace xip::crash::test
