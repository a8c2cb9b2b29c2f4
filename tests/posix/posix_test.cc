// The tables of this directory against libxip, against the host's ext4 where that can be had (root, and loop devices), and through a mount of libxip
// where there is FUSE.
//
// XIP_POSIX_RECORD=1 writes the host's answers into the tables.
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "fs_ext4lite/loop_mount.h"
#include "posix/host_world.h"
#include "posix/libxip_world.h"
#include "posix/mounted_world.h"

namespace xip::posix {
namespace {

using ext4lite::test::image;
using ext4lite::test::loop_mount;
using ext4lite::test::make_image;

constexpr const char* directory = XIP_POSIX_TABLES;

[[nodiscard]] std::vector<std::string> table_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{directory})
    if (entry.path().extension() == ".table") names.push_back(entry.path().stem());
  std::ranges::sort(names);
  return names;
}

[[nodiscard]] table table_named(const std::string& name) { return read_table(std::string{directory} + '/' + name + ".table"); }

enum class answerer { libxip, host, mount };

[[nodiscard]] const std::string& expected(const table_line& line, answerer who) {
  switch (who) {
    case answerer::libxip:
      return line.expected_of_libxip();
    case answerer::mount:
      return line.expected_of_mount();
    default:
      return line.linux_answer;
  }
}

void compare(const table& t, const std::vector<std::vector<std::string>>& answers, answerer who) {
  ASSERT_EQ(answers.size(), t.cases.size());
  for (std::size_t c = 0; c < t.cases.size(); ++c) {
    const auto& lines = t.cases[c].lines;
    if (answers[c].empty() && (who != answerer::libxip || !t.cases[c].not_libxip.empty())) continue;  // left out
    for (std::size_t l = 0; l < lines.size(); ++l)
      EXPECT_EQ(l < answers[c].size() ? answers[c][l] : "(no answer)", expected(lines[l], who))
          << t.path << ':' << lines[l].number << ": case " << t.cases[c].name << ": " << lines[l].words[0];
  }
}

class posix : public testing::TestWithParam<std::string> {};

TEST_P(posix, libxip_answers_as_recorded) {
  const table t = table_named(GetParam());
  const image i = make_image("-b 4096 -N 2048", "16M");
  const libxip_answers a = run_on_libxip(t, i.path());
  compare(t, a.cases, answerer::libxip);
  EXPECT_EQ(a.trouble, "");
  std::string output;
  EXPECT_TRUE(ext4lite::test::e2fsck_clean(i.path(), &output)) << output;
}

TEST_P(posix, linux_answers_as_recorded) {
  const table t = table_named(GetParam());
  const image i = make_image("-b 4096 -N 2048", "16M");
  const loop_mount m{i};
  if (!m.ok()) GTEST_SKIP() << "not root, or no loop devices";
  const auto answers = run_on_host(t, m.path(""));
  if (std::getenv("XIP_POSIX_RECORD") != nullptr) return record(t, answers);
  compare(t, answers, answerer::host);
}

TEST_P(posix, a_mount_answers_as_recorded) {
  const table t = table_named(GetParam());
  const image i = make_image("-b 4096 -N 2048", "16M");
  std::vector<std::vector<std::string>> answers;
  {
    fuse_mount m{i};
    if (!m.ok()) GTEST_SKIP() << "not root, or no FUSE";
    answers = run_on_host(t, m.path());
    EXPECT_TRUE(m.unmount());
  }
  compare(t, answers, answerer::mount);
  std::string output;
  EXPECT_TRUE(ext4lite::test::e2fsck_clean(i.path(), &output)) << output;
}

INSTANTIATE_TEST_SUITE_P(tables, posix, testing::ValuesIn(table_names()), [](const auto& p) { return p.param; });

}  // namespace
}  // namespace xip::posix
