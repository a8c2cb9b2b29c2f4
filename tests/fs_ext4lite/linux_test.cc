// The other implementation as judge: what Linux wrote is read here, what was written here is read, changed and finished by Linux.
// Needs root and a loop device; skipped elsewhere.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>

#include "fs_ext4lite/loop_mount.h"

namespace xip::ext4lite::test {
namespace {

namespace fs = std::filesystem;

[[nodiscard]] std::string contents_of(const fs::path& p) {
  std::ostringstream text;
  text << std::ifstream{p, std::ios::binary}.rdbuf();
  return std::move(text).str();
}

void put(const fs::path& p, const std::string& contents) { std::ofstream{p, std::ios::binary} << contents; }

class Linux : public testing::TestWithParam<const char*> {};

TEST_P(Linux, ReadsAndExtendsWhatWasWrittenHereAndTheOtherWayRound) {
  const image disk = make_image(GetParam(), "32M");
  const std::string large = pattern(2'000'000);
  {
    const loop_mount other{disk};
    if (!other.ok()) GTEST_SKIP() << "Linux cannot mount an image here";
    put(other.path("theirs"), large);
    fs::create_directory(other.path("dir"));
    for (int i = 0; i < 200; ++i) put(other.path("dir/theirs-with-a-long-name-" + std::to_string(i)), std::to_string(i));
    fs::create_symlink("theirs", other.path("link"));
  }
  {
    mounted m{disk};
    ASSERT_TRUE(m.ok()) << m.failure();
    vfs::task& t = m.task();
    EXPECT_EQ(read_file(t, "/link"), large);
    for (int i = 0; i < 200; ++i) EXPECT_EQ(read_file(t, "/dir/theirs-with-a-long-name-" + std::to_string(i)), std::to_string(i));
    write_file(t, "/ours", large);
    for (int i = 0; i < 400; ++i) write_file(t, "/dir/ours-" + std::to_string(i), std::to_string(i));
    for (int i = 0; i < 200; i += 2) ASSERT_TRUE(t.unlink("/dir/theirs-with-a-long-name-" + std::to_string(i)));
    ASSERT_TRUE(t.truncate("/theirs", 777'777));
    m.umount_and_check(disk);
  }
  {
    const loop_mount other{disk};
    ASSERT_TRUE(other.ok());
    EXPECT_EQ(contents_of(other.path("ours")), large);
    EXPECT_EQ(contents_of(other.path("theirs")), large.substr(0, 777'777));
    for (int i = 0; i < 400; ++i) EXPECT_EQ(contents_of(other.path("dir/ours-" + std::to_string(i))), std::to_string(i));
    EXPECT_FALSE(fs::exists(other.path("dir/theirs-with-a-long-name-2")));
    for (int i = 0; i < 100; ++i) put(other.path("dir/third-" + std::to_string(i)), "3");
    fs::remove(other.path("ours"));
  }
  std::string output;
  EXPECT_TRUE(e2fsck_clean(disk.path(), &output)) << output;
}

INSTANTIATE_TEST_SUITE_P(Mke2fs, Linux,
                         testing::Values("-b 1024", "-b 2048", "-b 4096", "-b 4096 -O ^metadata_csum",
                                         "-b 1024 -O uninit_bg,^metadata_csum", "-b 4096 -I 128",
                                         "-b 1024 -g 1024 -O ^flex_bg,^has_journal"));

TEST(LinuxOrphans, AreFinishedByLinux) {
  const image disk = make_image("-b 4096", "16M");
  {
    const loop_mount other{disk};
    if (!other.ok()) GTEST_SKIP() << "Linux cannot mount an image here";
  }
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  vfs::task& t = m.task();
  std::vector<int> open;
  for (int i = 0; i < 3; ++i) {
    const std::string name = "/f" + std::to_string(i);
    write_file(t, name, pattern(100'000));
    open.push_back(*t.open(name, O_RDONLY));
    ASSERT_TRUE(t.unlink(name));
  }
  ASSERT_TRUE(t.syncfs(open[0]));
  store(m.device(), disk);  // what a crash would leave now
  for (const int fd : open) ASSERT_TRUE(t.close(fd));
  {
    const loop_mount other{disk};
    ASSERT_TRUE(other.ok());
  }
  std::string output;
  EXPECT_TRUE(e2fsck_clean(disk.path(), &output)) << output;
}

}  // namespace
}  // namespace xip::ext4lite::test
