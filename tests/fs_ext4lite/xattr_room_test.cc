// Attributes and lists where there is no room for them, where the image may not have them, and where a caller does not wait.
#include <linux/fs.h>

#include <sys/uio.h>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/attributes.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/tree.h"

namespace xip::ext4lite::test {
namespace {

// A file takes every block that is free and not kept back.
void fill_up(vfs::task& t) {
  const auto fd = t.open("/filler", O_CREAT | O_WRONLY, 0644);
  ASSERT_TRUE(fd);
  const std::string text = pattern(1024);
  auto written = t.write(*fd, text.data(), text.size());
  while (written) written = t.write(*fd, text.data(), text.size());
  EXPECT_EQ(written.error(), ENOSPC);
  ASSERT_TRUE(t.close(*fd));
}

[[nodiscard]] int create(vfs::task& t, std::string_view path) {
  const auto fd = t.open(path, O_CREAT | O_EXCL | O_WRONLY, 0666);
  if (fd) (void)t.close(*fd);
  return errno_of(fd);
}
[[nodiscard]] int create_without_name(vfs::task& t, std::string_view directory) {
  const auto fd = t.open(directory, O_TMPFILE | O_WRONLY, 0666);
  if (fd) (void)t.close(*fd);
  return errno_of(fd);
}
[[nodiscard]] int leave_whiteout(vfs::task& t, const std::string& directory) {
  return errno_of(t.renameat2(AT_FDCWD, directory + "/old", AT_FDCWD, directory + "/moved", RENAME_WHITEOUT));
}

// Their numbers are USERS users, who all may everything.
[[nodiscard]] std::string list_of(std::uint32_t users) {
  std::vector<vfs::posix_acl_entry> entries{{vfs::acl_user_obj, 7}};
  for (std::uint32_t id = 1; id <= users; ++id) entries.push_back({vfs::acl_user, 7, id});
  for (const std::uint16_t tag : {vfs::acl_group_obj, vfs::acl_mask, vfs::acl_other}) entries.push_back({tag, 7});
  return acl_value(entries);
}

// What is inherited may need no block, or one: only then does making fail where none is free, whichever way it is made.
TEST(inherited_lists, need_a_block_only_where_the_inode_is_too_small) {
  const image disk = make_image("-b 1024 -I 256", "4M");
  mounted fs{disk};
  vfs::task& t = fs.task();
  for (const auto& [directory, users] : {std::pair{"/short", 1u}, {"/long", 30u}}) {
    ASSERT_TRUE(t.mkdir(directory, 0777));
    ASSERT_EQ(create(t, std::string{directory} + "/old"), 0);
    ASSERT_EQ(set_xattr(t, directory, acl_default_name, list_of(users)), 0);
    ASSERT_EQ(set_xattr(t, directory, "trusted.more", pattern(200)), 0) << "the directory has a block";
  }
  fill_up(t);
  EXPECT_EQ(create(t, "/short/new"), 0);
  EXPECT_NE(get_xattr(t, "/short/new", acl_access_name), "ENODATA");
  EXPECT_EQ(create_without_name(t, "/short"), 0);
  EXPECT_EQ(leave_whiteout(t, "/short"), 0);
  EXPECT_EQ(errno_of(t.mkdir("/short/directory", 0777)), ENOSPC) << "it has a block of names";
  EXPECT_EQ(create(t, "/long/new"), ENOSPC);
  EXPECT_EQ(create_without_name(t, "/long"), ENOSPC);
  EXPECT_EQ(leave_whiteout(t, "/long"), ENOSPC);
  EXPECT_EQ(names_in(t, "/long"), (std::vector<std::string>{".", "..", "old"}));
  EXPECT_EQ(errno_of(t.symlink("old", "/long/link")), 0) << "it inherits nothing";
  fs.umount_and_check(disk);
}

// An image that lost the feature may have a default list still.
TEST(inherited_lists, are_not_written_without_the_feature) {
  const image disk = make_image("-b 1024 -I 256", "4M");
  {
    mounted fs{disk};
    ASSERT_TRUE(fs.task().mkdir("/d", 0777));
    ASSERT_EQ(set_xattr(fs.task(), "/d", acl_default_name, list_of(1)), 0);
    ASSERT_EQ(create(fs.task(), "/d/old"), 0);
    fs.umount_and_check(disk);
  }
  debugfs(disk.path(), "feature -ext_attr", true);
  mounted fs{disk};
  vfs::task& t = fs.task();
  t.umask(027);
  ASSERT_EQ(create(t, "/d/new"), 0);
  ASSERT_TRUE(t.mkdir("/d/directory", 0777));
  ASSERT_TRUE(t.symlink("new", "/d/link"));
  ASSERT_EQ(leave_whiteout(t, "/d"), 0);
  for (const char* path : {"/d/new", "/d/directory", "/d/link", "/d/old"}) EXPECT_EQ(xattrs_of(t, path), xattr_map{}) << path;
  EXPECT_EQ(t.stat("/d/new")->mode & 0777, 0640u) << "the umask decides";
  EXPECT_EQ(t.stat("/d/directory")->mode & 0777, 0750u);
  EXPECT_EQ(t.lstat("/d/link")->mode & 0777, 0777u);
  EXPECT_NE(get_xattr(t, "/d/moved", acl_access_name), "ENODATA") << "what is there stays";
  EXPECT_TRUE(fs.umount()) << fs.log();
}

const std::string capability = std::string{"\1\0\0\2", 4} + std::string(16, '\0');

// Two files share a block: the one that is written needs another without its capabilities.
TEST(capabilities, that_cannot_go_stop_a_write) {
  const image disk = make_image("-b 1024 -I 128", "4M");
  mounted fs{disk};
  vfs::task& t = fs.task();
  for (const char* path : {"/f", "/g"}) {
    write_file(t, path, "old");
    ASSERT_TRUE(t.chmod(path, 06777));
    ASSERT_EQ(set_xattr(t, path, "security.capability", capability), 0);
    ASSERT_EQ(set_xattr(t, path, "user.more", pattern(100)), 0);
  }
  fill_up(t);
  vfs::task_ptr user{*fs.kernel().make_task({.uid = 1000, .gid = 1000})};
  const auto fd = user->open("/f", O_WRONLY);
  ASSERT_TRUE(fd);
  EXPECT_EQ(errno_of(user->pwrite(*fd, "new", 3, 0)), ENOSPC);
  EXPECT_EQ(errno_of(user->truncate("/f", 1)), ENOSPC);
  EXPECT_EQ(read_file(t, "/f"), "old");
  EXPECT_EQ(t.stat("/f")->mode & 07777, 06777u) << "nothing was done by half";
  EXPECT_EQ(get_xattr(t, "/f", "security.capability"), capability);
  ASSERT_TRUE(t.unlink("/filler"));
  EXPECT_EQ(user->pwrite(*fd, "new", 3, 0).value_or(0), 3u);
  ASSERT_TRUE(user->close(*fd));
  user.reset();
  EXPECT_EQ(read_file(t, "/f"), "new");
  EXPECT_EQ(t.stat("/f")->mode & 07777, 0777u);
  EXPECT_EQ(get_xattr(t, "/f", "security.capability"), "ENODATA");
  EXPECT_EQ(get_xattr(t, "/g", "security.capability"), capability);
  fs.umount_and_check(disk);
}

// Neither looking for capabilities nor taking them away is done by a write that may not wait.
TEST(capabilities, let_a_write_that_may_not_wait_fail) {
  const image disk = make_image("-b 4096", "8M");
  mounted fs{disk, "dax=always"};
  vfs::task& t = fs.task();
  write_file(t, "/f", pattern(4096));
  fs.kernel().drop_caches();
  const auto fd = t.open("/f", O_WRONLY | O_DIRECT);
  ASSERT_TRUE(fd);
  const std::string text = pattern(4096, 1);
  const iovec segment{const_cast<char*>(text.data()), text.size()};
  const auto write_now = [&] { return errno_of(t.pwritev2(*fd, &segment, 1, 0, RWF_NOWAIT)); };
  const auto write = [&] { return errno_of(t.pwritev2(*fd, &segment, 1, 0, 0)); };
  EXPECT_EQ(write_now(), EAGAIN) << "nothing is known of them";
  EXPECT_EQ(write(), 0);
  EXPECT_EQ(write_now(), 0);
  ASSERT_EQ(set_xattr(t, "/f", "security.capability", capability), 0);
  EXPECT_EQ(write_now(), EAGAIN);
  EXPECT_EQ(get_xattr(t, "/f", "security.capability"), capability);
  EXPECT_EQ(write(), 0);
  EXPECT_EQ(write_now(), 0);
  EXPECT_EQ(get_xattr(t, "/f", "security.capability"), "ENODATA");
  ASSERT_TRUE(t.close(*fd));
  fs.umount_and_check(disk);
}

// The first owner that goes takes the block with it. The other one is told apart from a file without attributes, and its block is not freed again.
TEST(shared_blocks, that_count_too_few_owners_are_said) {
  const image disk = make_image("-b 1024 -I 128 -O ^metadata_csum", "4M");
  std::uint64_t block = 0;
  {
    mounted fs{disk};
    for (const char* path : {"/a", "/b"}) {
      write_file(fs.task(), path, "f");
      ASSERT_EQ(set_xattr(fs.task(), path, "user.a", pattern(100)), 0);
    }
    fs.umount_and_check(disk);
    const std::string output = debugfs(disk.path(), "stat /a");
    block = std::stoull(output.substr(output.find("File ACL: ") + 10));
  }
  ASSERT_EQ(disk.peek_value<le32>(block * 1024 + 4), 2u);
  disk.poke_value(block * 1024 + 4, le32{1});
  {
    mounted fs{disk, "errors=continue"};
    ASSERT_TRUE(fs.task().unlink("/a"));
    ASSERT_TRUE(fs.task().unlink("/b"));
    EXPECT_NE(fs.log().find(fmt::format("frees blocks {0} to {0}, which are free already", block)), std::string::npos) << fs.log();
    EXPECT_TRUE(fs.umount()) << fs.log();
  }
  const command_outcome repaired = run_command({"/sbin/e2fsck", "-fy", disk.path()});
  EXPECT_TRUE(repaired.status == 0 || repaired.status == 1) << repaired.output;
}

}  // namespace
}  // namespace xip::ext4lite::test
