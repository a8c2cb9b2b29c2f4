// The reduction by what is read and by the checksums of the log, on the file system itself: moments of at most twelve lines are run in every state there is, and in
// those that the engine chooses. The same trees are found.
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/crash/classify_layout.h>
#include <xip/crash/file_system.h>
#include <xip/fs_ext4lite/ext4lite.h>

#include "crash/ext4_image.h"

namespace xip::crash::test {
namespace {

constexpr std::size_t most_lines = 12;

struct setting {
  const char* name;
  const char* mkfs;
  std::uint32_t unit;
  bool windows;
  unsigned factor;  // at least so many times fewer states are run. A log whose blocks are whole writes leaves the engine less to leave out
};

// What is found at each moment that was run in full.
struct findings {
  std::map<std::size_t, std::set<std::string>> at;
  std::map<std::size_t, std::uint64_t> states;
};

class ReductionOfExt4 : public testing::TestWithParam<setting> {
 protected:
  ReductionOfExt4() : fresh_{make_image(GetParam().mkfs, 8)}, layout_{layout_of(fresh_)} {}

  [[nodiscard]] findings find(bool exhaustive) {
    findings f;
    crash_options options{
        .unit = GetParam().unit, .windows = GetParam().windows, .classify = classify_by(layout_), .exhaustive = exhaustive};
    options.max_states = std::uint64_t{1} << most_lines;
    options.max_lines = most_lines;
    options.samples = 0;
    options.on_state = [&](const state_seen& s) {
      EXPECT_EQ(s.failure, "");
      f.at[s.at.point].insert(s.meaning);
      ++f.states[s.at.point];
    };
    const workload w = parse_workload("small", "creat a\n---\nwrite a 0 600\nfsync a\nrename a b\nfsync b\numount\n").value();
    std::vector<std::byte> start;
    const crashed_file_system fs{.type = ext4lite_file_system(), .mount_options = ""};
    EXPECT_EQ(set_up(fs, w, fresh_, start), "");
    file_system_crash subject{fs, w};
    crash_engine engine{start, options};
    const crash_report r = engine.run(subject.make_program(), subject);
    EXPECT_EQ(r.broken, "");
    for (const cut_point& c : r.cut) f.at.erase(c.point);
    return f;
  }

  std::vector<std::byte> fresh_;
  std::shared_ptr<const ext4_layout> layout_;
};

// With blocks of 1 KiB a transaction is few lines. Device memory has no other file data than those that were drained, so at 64 bytes there are small moments, too.
INSTANTIATE_TEST_SUITE_P(At, ReductionOfExt4,
                         testing::Values(setting{"ChecksummedSectors", "-t ext4 -b 1024 -J size=1", 512, false, 10},
                                         setting{"Sectors", "-t ext4 -b 1024 -J size=1 -O ^metadata_csum", 512, false, 10},
                                         setting{"ChecksummedBlocks", "-t ext4 -b 4096", 4096, false, 2},
                                         setting{"ChecksummedLines", "-t ext4 -b 1024 -J size=1", 64, true, 10},
                                         setting{"Lines", "-t ext4 -b 1024 -J size=1 -O ^metadata_csum", 64, true, 10}),
                         [](const testing::TestParamInfo<setting>& i) { return std::string{i.param.name}; });

TEST_P(ReductionOfExt4, LosesNoTree) {
  const findings every = find(true), chosen = find(false);
  std::uint64_t there = 0, run = 0;
  for (const auto& [point, trees] : every.at) {
    ASSERT_TRUE(chosen.at.contains(point)) << "moment " << point;
    EXPECT_EQ(chosen.at.at(point), trees) << "at moment " << point;
    there += every.states.at(point), run += chosen.states.at(point);
  }
  std::printf("%zu moments, %lu states, of which %lu were run\n", every.at.size(), there, run);
  EXPECT_GE(every.at.size(), 8u);
  EXPECT_GE(there, GetParam().factor * run);
}

}  // namespace
}  // namespace xip::crash::test
