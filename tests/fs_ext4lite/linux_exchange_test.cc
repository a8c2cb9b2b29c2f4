// Directories that Linux and we extend by turns, on a loop mount: root only.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/htree_fixture.h"
#include "fs_ext4lite/loop_mount.h"
#include "fs_ext4lite/tree.h"

namespace xip::ext4lite::test {
namespace {

namespace files = std::filesystem;

class linux_exchange : public with_linux {
 protected:
  linux_exchange() : with_linux{"32M"} {}
  [[nodiscard]] static std::vector<std::string> listed(const files::path& directory) {
    std::vector<std::string> names{".", ".."};
    for (const auto& e : files::directory_iterator{directory}) names.push_back(e.path().filename());
    std::ranges::sort(names);
    return names;
  }
};

TEST_P(linux_exchange, an_indexed_directory_grows_by_turns) {
  const auto names = random_names(3000, 1, 255);
  const std::size_t quarter = names.size() / 4;
  {
    const loop_mount there{disk};
    files::create_directory(there.path("d"));
    std::ofstream{there.path("lost")} << "x";
    for (std::size_t i = 0; i < quarter; ++i) files::create_hard_link(there.path("lost"), there.path("d") / names[i]);
  }
  for (const std::size_t turn : {1u, 3u}) {
    {
      mounted fs{disk};
      for (std::size_t i = 0; i < quarter * turn; ++i) ASSERT_TRUE(fs.task().stat("/d/" + names[i])) << names[i];
      for (std::size_t i = quarter * turn; i < quarter * (turn + 1); ++i)
        ASSERT_TRUE(fs.task().link("/lost", "/d/" + names[i])) << names[i];
      fs.umount_and_check(disk);
    }
    const loop_mount there{disk};
    for (std::size_t i = 0; i < quarter * (turn + 1); ++i) ASSERT_TRUE(files::exists(there.path("d") / names[i])) << names[i];
    EXPECT_EQ(listed(there.path("d")), with_dots({names.begin(), names.begin() + static_cast<std::ptrdiff_t>(quarter * (turn + 1))}));
    for (std::size_t i = quarter * 2; turn == 1 && i < quarter * 3; ++i)
      files::create_hard_link(there.path("lost"), there.path("d") / names[i]);
  }
  check();
  mounted fs{disk};
  EXPECT_EQ(names_in(fs.task(), "/d"), with_dots(names));
  for (const std::string& name : names) ASSERT_TRUE(fs.task().unlink("/d/" + name));
  ASSERT_TRUE(fs.task().rmdir("/d"));
  fs.umount_and_check(disk);
}

TEST_P(linux_exchange, a_tree_of_every_kind_is_read_back) {
  {
    mounted fs{disk};
    vfs::task& t = fs.task();
    ASSERT_TRUE(t.mkdir("/d", 0751));
    write_file(t, "/d/file", "contents");
    ASSERT_TRUE(t.symlink("file", "/d/short"));
    ASSERT_TRUE(t.symlink("./" + std::string(900, '/') + "file", "/d/long"));
    ASSERT_TRUE(t.mknod("/d/fifo", S_IFIFO | 0600, 0));
    ASSERT_TRUE(t.link("/d/file", "/d/again"));
    ASSERT_TRUE(t.mkdir("/d/from", 0755));
    ASSERT_TRUE(t.rename("/d/from", "/moved"));
    fs.umount_and_check(disk);
  }
  {
    const loop_mount there{disk};
    EXPECT_EQ(files::read_symlink(there.path("d/short")), "file");
    EXPECT_EQ(files::read_symlink(there.path("d/long")).native().size(), 906u);
    EXPECT_TRUE(files::equivalent(there.path("d/long"), there.path("d/again")));
    EXPECT_EQ(files::hard_link_count(there.path("d/file")), 2u);
    EXPECT_TRUE(files::is_fifo(there.path("d/fifo")));
    EXPECT_TRUE(files::equivalent(there.path("moved/.."), there.path("")));
    files::create_symlink(std::string(500, 's'), there.path("d/theirs"));
    files::rename(there.path("moved"), there.path("d/moved"));
    files::remove(there.path("d/short"));
  }
  mounted fs{disk};
  EXPECT_EQ(fs.task().readlink("/d/theirs").value(), std::string(500, 's'));
  EXPECT_EQ(names_in(fs.task(), "/d"), with_dots({"again", "fifo", "file", "long", "moved", "theirs"}));
  ASSERT_TRUE(fs.task().unlink("/d/theirs"));
  ASSERT_TRUE(fs.task().unlink("/d/long"));
  fs.umount_and_check(disk);
}

INSTANTIATE_TEST_SUITE_P(on, linux_exchange,
                         testing::Values("-b 1024", "-b 2048", "-b 4096", "-b 4096 -O ^metadata_csum", "-b 1024 -O ^64bit,^metadata_csum"));

}  // namespace
}  // namespace xip::ext4lite::test
