// Making, finding and removing names through system calls; e2fsck and debugfs judge.
#include <linux/fs.h>

#include <algorithm>
#include <set>

#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/image.h"
#include "fs_ext4lite/tree.h"

namespace xip::ext4lite::test {
namespace {

struct names : testing::Test {
  image disk = make_image();
  mounted fs{disk};
  vfs::task& t{fs.task()};
};

TEST_F(names, a_new_file_is_found_and_listed) {
  write_file(t, "/file", "hello");
  EXPECT_EQ(read_file(t, "/file"), "hello");
  EXPECT_EQ(names_in(t, "/"), (std::vector<std::string>{".", "..", "file", "lost+found"}));
  fs.umount_and_check(disk);
  EXPECT_NE(debugfs(disk.path(), "cat /file").find("hello"), std::string::npos);
}

TEST_F(names, a_name_of_255_bytes_fits_and_one_more_does_not) {
  write_file(t, "/" + std::string(255, 'n'), "x");
  EXPECT_EQ(errno_of(t.open("/" + std::string(256, 'n'), O_CREAT | O_WRONLY, 0644)), ENAMETOOLONG);
  EXPECT_EQ(errno_of(t.mkdir("/" + std::string(256, 'n'), 0755)), ENAMETOOLONG);
  fs.umount_and_check(disk);
}

TEST_F(names, directories_count_the_links_of_their_children) {
  ASSERT_TRUE(t.mkdir("/d", 0755));
  EXPECT_EQ(t.stat("/d")->nlink, 2u);
  ASSERT_TRUE(t.mkdir("/d/a", 0755));
  ASSERT_TRUE(t.mkdir("/d/b", 0755));
  EXPECT_EQ(t.stat("/d")->nlink, 4u);
  EXPECT_EQ(errno_of(t.rmdir("/d")), ENOTEMPTY);
  ASSERT_TRUE(t.rmdir("/d/a"));
  EXPECT_EQ(t.stat("/d")->nlink, 3u);
  EXPECT_EQ(errno_of(t.mkdir("/d/b", 0755)), EEXIST);
  fs.umount_and_check(disk);
}

TEST_F(names, a_removed_directory_gives_its_blocks_and_inode_back) {
  const auto before = t.statfs("/");
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(t.mkdir("/d", 0755));
    ASSERT_TRUE(t.rmdir("/d"));
  }
  const auto after = t.statfs("/");
  EXPECT_EQ(before->bfree, after->bfree);
  EXPECT_EQ(before->ffree, after->ffree);
  fs.umount_and_check(disk);
}

TEST_F(names, an_unlinked_file_lives_until_it_is_closed) {
  write_file(t, "/file", "still here");
  const int fd = t.open("/file", O_RDONLY).value();
  ASSERT_TRUE(t.unlink("/file"));
  EXPECT_EQ(errno_of(t.stat("/file")), ENOENT);
  char text[10];
  EXPECT_EQ(t.read(fd, text, sizeof text).value(), 10u);
  EXPECT_EQ(std::string_view(text, 10), "still here");
  EXPECT_EQ(t.fstat(fd)->nlink, 0u);
  ASSERT_TRUE(t.close(fd));
  fs.umount_and_check(disk);
}

TEST_F(names, hard_links_share_an_inode) {
  write_file(t, "/a", "one");
  ASSERT_TRUE(t.link("/a", "/b"));
  EXPECT_EQ(t.stat("/a")->nlink, 2u);
  EXPECT_EQ(t.stat("/a")->ino, t.stat("/b")->ino);
  ASSERT_TRUE(t.unlink("/a"));
  EXPECT_EQ(read_file(t, "/b"), "one");
  EXPECT_EQ(errno_of(t.link("/lost+found", "/c")), EPERM);
  fs.umount_and_check(disk);
}

TEST_F(names, a_temporary_file_can_get_a_name) {
  const int fd = t.open("/", O_TMPFILE | O_RDWR, 0600).value();
  ASSERT_TRUE(t.write(fd, "abc", 3));
  EXPECT_EQ(t.fstat(fd)->nlink, 0u);
  ASSERT_TRUE(t.linkat(fd, "", AT_FDCWD, "/named", AT_EMPTY_PATH));
  EXPECT_EQ(t.fstat(fd)->nlink, 1u);
  ASSERT_TRUE(t.close(fd));
  EXPECT_EQ(read_file(t, "/named"), "abc");
  ASSERT_TRUE(t.close(t.open("/", O_TMPFILE | O_RDWR, 0600).value()));
  fs.umount_and_check(disk);
}

TEST_F(names, symlinks_of_every_length_are_followed) {
  write_file(t, "/target", "here");
  for (std::size_t length : {7u, 58u, 59u, 60u, 61u, 255u, 1000u, 4095u}) {
    std::string text = "/target";
    while (text.size() < length) text.insert(0, "/");
    ASSERT_TRUE(t.symlink(text, fmt::format("/link{}", length)));
    EXPECT_EQ(t.readlink(fmt::format("/link{}", length)).value(), text);
    EXPECT_EQ(t.lstat(fmt::format("/link{}", length))->size, static_cast<loff_t>(length));
    EXPECT_EQ(t.lstat(fmt::format("/link{}", length))->blocks, length < 60 ? 0u : 8u);
    EXPECT_EQ(read_file(t, fmt::format("/link{}", length)), "here");
  }
  fs.umount_and_check(disk);
  EXPECT_NE(debugfs(disk.path(), "stat /link59").find("Fast link dest"), std::string::npos);
  EXPECT_EQ(debugfs(disk.path(), "stat /link60").find("Fast link dest"), std::string::npos);
}

TEST_F(names, removed_symlinks_leave_nothing) {
  const auto before = t.statfs("/");
  ASSERT_TRUE(t.symlink(std::string(59, 'a'), "/fast"));
  ASSERT_TRUE(t.symlink(std::string(60, 'a'), "/slow"));
  ASSERT_TRUE(t.unlink("/fast"));
  ASSERT_TRUE(t.unlink("/slow"));
  EXPECT_EQ(before->bfree, t.statfs("/")->bfree);
  EXPECT_EQ(before->ffree, t.statfs("/")->ffree);
  fs.umount_and_check(disk);
}

TEST(names_in_small_blocks, a_symlink_is_shorter_than_a_block) {
  const image disk = make_image("-b 1024");
  mounted fs{disk};
  EXPECT_EQ(errno_of(fs.task().symlink(std::string(1024, 'a'), "/link")), ENAMETOOLONG);
  EXPECT_TRUE(fs.task().symlink(std::string(1023, 'a'), "/link"));
  EXPECT_EQ(fs.task().readlink("/link").value().size(), 1023u);
  fs.umount_and_check(disk);
}

TEST_F(names, devices_fifos_and_sockets_keep_their_kind) {
  ASSERT_TRUE(t.mknod("/null", S_IFCHR | 0666, makedev(1, 3)));
  ASSERT_TRUE(t.mknod("/big", S_IFBLK | 0600, makedev(300, 70000)));
  ASSERT_TRUE(t.mknod("/fifo", S_IFIFO | 0644, 0));
  ASSERT_TRUE(t.mknod("/socket", S_IFSOCK | 0644, 0));
  ASSERT_TRUE(t.chmod("/fifo", 0600));
  fs.umount_and_check(disk);
  mounted again{disk};
  EXPECT_EQ(again.task().stat("/null")->rdev, makedev(1, 3));
  EXPECT_EQ(again.task().stat("/big")->rdev, makedev(300, 70000));
  EXPECT_EQ(again.task().stat("/fifo")->mode, static_cast<std::uint32_t>(S_IFIFO | 0600));
  const auto kinds = types_in(again.task(), "/");
  EXPECT_EQ(kinds.at("null"), static_cast<unsigned>(DT_CHR));
  EXPECT_EQ(kinds.at("big"), static_cast<unsigned>(DT_BLK));
  EXPECT_EQ(kinds.at("fifo"), static_cast<unsigned>(DT_FIFO));
  EXPECT_EQ(kinds.at("socket"), static_cast<unsigned>(DT_SOCK));
  EXPECT_EQ(kinds.at("lost+found"), static_cast<unsigned>(DT_DIR));
}

TEST(names_without_filetype, have_no_type) {
  const image disk = make_image("-b 4096 -O ^filetype");
  mounted fs{disk};
  write_file(fs.task(), "/file", "x");
  EXPECT_EQ(types_in(fs.task(), "/").at("file"), static_cast<unsigned>(DT_UNKNOWN));
  fs.umount_and_check(disk);
}

// ---- 65,000 links

// A count that only debugfs can set in reasonable time; no e2fsck, the links are not there.
struct many_links : testing::Test {
  image disk = make_image("-b 1024", "16M");

  void prepare(int names, std::uint32_t links) {
    {
      mounted fs{disk};
      write_file(fs.task(), "/file", "");
      ASSERT_TRUE(fs.task().mkdir("/d", 0755));
      for (int i = 0; i < names; ++i) ASSERT_TRUE(fs.task().link("/file", fmt::format("/d/{:050}", i)));
      fs.umount_and_check(disk);
    }
    for (const char* path : {"/d", "/file"}) debugfs(disk.path(), fmt::format("set_inode_field {} links_count {}", path, links), true);
  }
};

TEST_F(many_links, a_file_has_65000_at_the_most) {
  prepare(0, 64999);
  mounted fs{disk};
  EXPECT_TRUE(fs.task().link("/file", "/again"));
  EXPECT_EQ(errno_of(fs.task().link("/file", "/once-more")), EMLINK);
}

TEST_F(many_links, a_directory_of_one_block_too) {
  prepare(0, 64999);
  mounted fs{disk};
  EXPECT_TRUE(fs.task().mkdir("/d/a", 0755));
  EXPECT_EQ(errno_of(fs.task().mkdir("/d/b", 0755)), EMLINK);
  ASSERT_TRUE(fs.task().mkdir("/c", 0755));
  EXPECT_EQ(errno_of(fs.task().rename("/c", "/d/c")), EMLINK);
}

TEST_F(many_links, an_indexed_directory_stops_counting) {
  prepare(50, 65000);
  mounted fs{disk};
  EXPECT_TRUE(fs.task().mkdir("/d/a", 0755));
  EXPECT_EQ(fs.task().stat("/d")->nlink, 1u);
  EXPECT_TRUE(fs.task().mkdir("/d/b", 0755));
  EXPECT_TRUE(fs.task().rmdir("/d/a"));
  EXPECT_EQ(fs.task().stat("/d")->nlink, 1u);
}

// ---- rename ------------------------------------------------------------------------------------------------------------------------

TEST_F(names, rename_moves_a_file_and_replaces_another) {
  write_file(t, "/a", "a");
  write_file(t, "/b", "b");
  ASSERT_TRUE(t.rename("/a", "/c"));
  EXPECT_EQ(errno_of(t.stat("/a")), ENOENT);
  const auto free_before = t.statfs("/")->ffree;
  ASSERT_TRUE(t.rename("/c", "/b"));
  EXPECT_EQ(read_file(t, "/b"), "a");
  EXPECT_EQ(t.statfs("/")->ffree, free_before + 1);
  EXPECT_EQ(errno_of(t.renameat2(AT_FDCWD, "/b", AT_FDCWD, "/lost+found", RENAME_NOREPLACE)), EEXIST);
  fs.umount_and_check(disk);
}

TEST_F(names, a_directory_that_moves_takes_its_parent_link_along) {
  ASSERT_TRUE(t.mkdir("/from", 0755));
  ASSERT_TRUE(t.mkdir("/to", 0755));
  ASSERT_TRUE(t.mkdir("/from/d", 0755));
  write_file(t, "/from/d/file", "x");
  ASSERT_TRUE(t.rename("/from/d", "/to/e"));
  EXPECT_EQ(t.stat("/from")->nlink, 2u);
  EXPECT_EQ(t.stat("/to")->nlink, 3u);
  EXPECT_EQ(t.stat("/to/e/..")->ino, t.stat("/to")->ino);
  EXPECT_EQ(read_file(t, "/to/e/file"), "x");
  EXPECT_EQ(errno_of(t.rename("/to", "/to/e/inside")), EINVAL);
  fs.umount_and_check(disk);
}

TEST_F(names, a_directory_replaces_an_empty_one_only) {
  ASSERT_TRUE(t.mkdir("/a", 0755));
  ASSERT_TRUE(t.mkdir("/b", 0755));
  ASSERT_TRUE(t.mkdir("/b/full", 0755));
  EXPECT_EQ(errno_of(t.rename("/a", "/b")), ENOTEMPTY);
  ASSERT_TRUE(t.rmdir("/b/full"));
  ASSERT_TRUE(t.rename("/a", "/b"));
  EXPECT_EQ(t.stat("/")->nlink, 4u);
  fs.umount_and_check(disk);
}

TEST_F(names, exchange_swaps_a_file_and_a_directory) {
  ASSERT_TRUE(t.mkdir("/one", 0755));
  ASSERT_TRUE(t.mkdir("/two", 0755));
  write_file(t, "/one/x", "file");
  ASSERT_TRUE(t.mkdir("/two/y", 0755));
  ASSERT_TRUE(t.renameat2(AT_FDCWD, "/one/x", AT_FDCWD, "/two/y", RENAME_EXCHANGE));
  EXPECT_TRUE(S_ISDIR(t.stat("/one/x")->mode));
  EXPECT_EQ(read_file(t, "/two/y"), "file");
  EXPECT_EQ(t.stat("/one")->nlink, 3u);
  EXPECT_EQ(t.stat("/two")->nlink, 2u);
  fs.umount_and_check(disk);
}

// ---- what goes wrong ---------------------------------------------------------------------------------------------------------------

TEST_F(names, a_full_file_system_keeps_its_names_whole) {
  const std::string name(255, 'n');
  int made = 0;
  result<> last;
  for (; (last = t.mkdir(fmt::format("/{:04}{}", made, name.substr(4)), 0755)); ++made) {
  }
  EXPECT_EQ(last.error(), ENOSPC);
  EXPECT_GT(made, 500);
  EXPECT_EQ(names_in(t, "/").size(), static_cast<std::size_t>(made) + 3);
  fs.umount_and_check(disk);
}

TEST_F(names, times_of_a_directory_change_with_its_names) {
  ASSERT_TRUE(t.mkdir("/d", 0755));
  write_file(t, "/d/a", "");
  const vfs::timespec64 old{1, 0};
  const auto touched = [&](const char* path) {
    const auto stat = t.stat(path).value();
    const vfs::timespec64 times[2] = {old, old};
    EXPECT_TRUE(t.utimensat(AT_FDCWD, path, times, 0));
    return stat.mtime != old;
  };
  (void)touched("/d");
  ASSERT_TRUE(t.link("/d/a", "/d/b"));
  EXPECT_TRUE(touched("/d"));
  ASSERT_TRUE(t.rename("/d/b", "/d/c"));
  EXPECT_TRUE(touched("/d"));
  ASSERT_TRUE(t.unlink("/d/c"));
  EXPECT_TRUE(touched("/d"));
  (void)t.stat("/d/a");
  EXPECT_FALSE(touched("/d"));
}

TEST_F(names, names_of_all_kinds_survive_a_remount) {
  for (int i = 0; i < 300; ++i) write_file(t, fmt::format("/file {:03} \xC3\xA4\xFF", i), std::to_string(i));
  fs.umount_and_check(disk);
  mounted again{disk};
  for (int i = 0; i < 300; ++i) EXPECT_EQ(read_file(again.task(), fmt::format("/file {:03} \xC3\xA4\xFF", i)), std::to_string(i));
}

}  // namespace
}  // namespace xip::ext4lite::test
