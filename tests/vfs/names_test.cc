// mkdir, mknod, symlink, link, rmdir, unlink, rename.
#include <linux/fs.h>

#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

class names : public vfs_test {
 protected:
  void SetUp() override {
    ASSERT_OK(t.mkdir("/d", 0755));
    write_file("/f", "f");
  }
};

TEST_F(names, mkdir_and_its_errors) {
  EXPECT_EQ(t.stat("/d")->nlink, 2u);
  EXPECT_OK(t.mkdir("/d/e/", 0755)) << "a trailing slash is no harm";
  EXPECT_EQ(t.stat("/d")->nlink, 3u);
  for (const char* name : {"/d", "/d/", "/f", "/", "/.", "/d/.."}) EXPECT_ERRNO(EEXIST, t.mkdir(name, 0755)) << name;
  EXPECT_ERRNO(ENOENT, t.mkdir("/none/e", 0755));
  EXPECT_ERRNO(ENOTDIR, t.mkdir("/f/e", 0755));
}

TEST_F(names, existing_comes_before_read_only) {
  ASSERT_OK(k->remount("/", "ro"));
  EXPECT_ERRNO(EEXIST, t.mkdir("/d", 0755));
  EXPECT_ERRNO(EROFS, t.mkdir("/new", 0755));
  EXPECT_ERRNO(EROFS, t.unlink("/f"));
  EXPECT_ERRNO(EROFS, t.rmdir("/d"));
  EXPECT_ERRNO(EROFS, t.rename("/f", "/g"));
  EXPECT_ERRNO(EROFS, t.link("/f", "/g"));
  EXPECT_ERRNO(EROFS, t.symlink("f", "/g"));
  EXPECT_ERRNO(EROFS, t.truncate("/f", 0));
  EXPECT_ERRNO(EROFS, t.chmod("/f", 0));
  EXPECT_ERRNO(EROFS, t.utimensat(AT_FDCWD, "/f", nullptr, 0));
  EXPECT_ERRNO(EROFS, t.access("/f", W_OK));
}

TEST_F(names, rmdir_and_its_errors) {
  write_file("/d/x", "");
  EXPECT_ERRNO(ENOTEMPTY, t.rmdir("/d"));
  EXPECT_ERRNO(ENOTDIR, t.rmdir("/f"));
  EXPECT_ERRNO(ENOENT, t.rmdir("/none"));
  EXPECT_ERRNO(EINVAL, t.rmdir("/d/."));
  EXPECT_ERRNO(ENOTEMPTY, t.rmdir("/d/.."));
  EXPECT_ERRNO(EBUSY, t.rmdir("/"));
  ASSERT_OK(t.unlink("/d/x"));
  EXPECT_OK(t.rmdir("/d/"));
  EXPECT_ERRNO(ENOENT, t.stat("/d"));
}

TEST_F(names, unlink_and_its_errors) {
  EXPECT_ERRNO(EISDIR, t.unlink("/d"));
  EXPECT_ERRNO(EISDIR, t.unlink("/d/"));
  EXPECT_ERRNO(EISDIR, t.unlink("/"));
  EXPECT_ERRNO(EISDIR, t.unlink("/d/."));
  EXPECT_ERRNO(ENOTDIR, t.unlink("/f/"));
  EXPECT_ERRNO(ENOENT, t.unlink("/none"));
  EXPECT_ERRNO(ENOENT, t.unlink("/none/"));
  EXPECT_ERRNO(EINVAL, t.unlinkat(AT_FDCWD, "/f", 1 << 20));
  EXPECT_OK(t.unlink("/f"));
  EXPECT_ERRNO(ENOENT, t.unlink("/f"));
  EXPECT_OK(t.unlinkat(AT_FDCWD, "/d", AT_REMOVEDIR));
}

TEST_F(names, unlink_removes_the_symlink_and_not_its_target) {
  ASSERT_OK(t.symlink("f", "/l"));
  EXPECT_OK(t.unlink("/l"));
  EXPECT_OK(t.stat("/f"));
}

TEST_F(names, an_unlinked_file_lives_while_it_is_open) {
  const int fd = open_ok(t, "/f", O_RDWR);
  ASSERT_OK(t.unlink("/f"));
  EXPECT_ERRNO(ENOENT, t.stat("/f"));
  char byte = 0;
  EXPECT_EQ(*t.pread(fd, &byte, 1, 0), 1u);
  EXPECT_EQ(byte, 'f');
  EXPECT_EQ(t.fstat(fd)->nlink, 0u);
  EXPECT_EQ(disk.deletions, 0u);
  write_file("/f", "new");
  EXPECT_NE(t.fstat(fd)->ino, t.stat("/f")->ino);
  EXPECT_OK(t.close(fd));
  EXPECT_EQ(disk.deletions, 1u);
}

TEST_F(names, sticky_directories_protect_others_files) {
  ASSERT_OK(t.chmod("/d", 01777));
  auto one = make_task(1000, 1000);
  auto two = make_task(1001, 1000);
  ASSERT_OK(one->open("/d/of_one", O_CREAT | O_WRONLY, 0666));
  EXPECT_ERRNO(EPERM, two->unlink("/d/of_one"));
  EXPECT_ERRNO(EPERM, two->rename("/d/of_one", "/d/x"));
  ASSERT_OK(two->open("/d/of_two", O_CREAT | O_WRONLY, 0666));
  EXPECT_ERRNO(EPERM, two->rename("/d/of_two", "/d/of_one")) << "replacing is removing";
  EXPECT_OK(one->unlink("/d/of_one"));
  EXPECT_OK(t.unlink("/d/of_two"));
}

TEST_F(names, writing_a_directory_needs_permission) {
  auto other = make_task(1000, 1000);
  EXPECT_ERRNO(EACCES, other->mkdir("/new", 0755));
  EXPECT_ERRNO(EACCES, other->open("/new", O_CREAT | O_RDWR));
  EXPECT_ERRNO(EACCES, other->unlink("/f"));
  EXPECT_ERRNO(EACCES, other->rmdir("/d"));
  EXPECT_ERRNO(EACCES, other->rename("/f", "/g"));
  EXPECT_ERRNO(EEXIST, other->mkdir("/d", 0755));
}

TEST_F(names, set_gid_directories_hand_on_their_group) {
  ASSERT_OK(t.chown("/d", ~0u, 500));
  ASSERT_OK(t.chmod("/d", 02777));
  auto other = make_task(1000, 1000);
  ASSERT_OK(other->mkdir("/d/sub", 0755));
  ASSERT_OK(other->open("/d/file", O_CREAT | O_RDWR, 02775));
  EXPECT_EQ(t.stat("/d/sub")->gid, 500u);
  EXPECT_EQ(t.stat("/d/sub")->mode & S_ISGID, unsigned{S_ISGID});
  EXPECT_EQ(t.stat("/d/file")->gid, 500u);
  EXPECT_EQ(t.stat("/d/file")->mode & S_ISGID, 0u) << "not for who is not in the group";
  EXPECT_EQ(t.stat("/d/file")->uid, 1000u);
}

TEST_F(names, mknod_and_its_errors) {
  auto other = make_task(1000, 1000);
  ASSERT_OK(t.chmod("/", 0777));
  EXPECT_ERRNO(EPERM, t.mknod("/x", S_IFDIR | 0755, 0));
  EXPECT_ERRNO(EINVAL, t.mknod("/x", S_IFLNK | 0755, 0));
  EXPECT_ERRNO(EPERM, other->mknod("/x", S_IFBLK | 0600, 1));
  EXPECT_OK(other->mknod("/fifo", S_IFIFO | 0600, 0));
  EXPECT_OK(other->mknod("/plain", 0600, 0));
  EXPECT_TRUE(S_ISREG(t.stat("/plain")->mode));
  EXPECT_ERRNO(EEXIST, t.mknod("/plain", 0600, 0));
  EXPECT_ERRNO(ENOENT, t.mknod("/new/", 0600, 0));
}

TEST_F(names, symlink_and_its_errors) {
  EXPECT_ERRNO(ENOENT, t.symlink("", "/l"));
  EXPECT_ERRNO(ENAMETOOLONG, t.symlink(std::string(4096, 'x'), "/l"));
  EXPECT_ERRNO(EEXIST, t.symlink("x", "/f"));
  EXPECT_OK(t.symlink(std::string(4095, 'x'), "/l"));
  EXPECT_EQ(t.readlink("/l")->size(), 4095u);
}

TEST_F(names, link_and_its_errors) {
  EXPECT_OK(t.link("/f", "/d/g"));
  EXPECT_EQ(t.stat("/f")->nlink, 2u);
  EXPECT_EQ(t.stat("/f")->ino, t.stat("/d/g")->ino);
  EXPECT_ERRNO(EPERM, t.link("/d", "/e"));
  EXPECT_ERRNO(EPERM, t.link("/d", "/d/itself")) << "whose lock is held for the new name";
  EXPECT_ERRNO(EPERM, t.link("/", "/d/above"));
  EXPECT_ERRNO(EEXIST, t.link("/f", "/d/g"));
  EXPECT_ERRNO(ENOENT, t.link("/none", "/x"));
  ASSERT_OK(t.unlink("/f"));
  EXPECT_EQ(read_file("/d/g"), "f");
  EXPECT_EQ(disk.deletions, 0u);
}

TEST_F(names, a_link_follows_symlinks_only_when_told) {
  ASSERT_OK(t.symlink("f", "/l"));
  ASSERT_OK(t.link("/l", "/l2"));
  EXPECT_TRUE(S_ISLNK(t.lstat("/l2")->mode));
  ASSERT_OK(t.linkat(AT_FDCWD, "/l", AT_FDCWD, "/f2", AT_SYMLINK_FOLLOW));
  EXPECT_TRUE(S_ISREG(t.lstat("/f2")->mode));
}

TEST_F(names, an_unlinked_open_file_gets_no_new_name) {
  const int fd = open_ok(t, "/f", O_RDWR);
  ASSERT_OK(t.unlink("/f"));
  EXPECT_ERRNO(ENOENT, t.linkat(fd, "", AT_FDCWD, "/again", AT_EMPTY_PATH));
}

TEST_F(names, a_failed_create_leaves_nothing_behind) {
  disk.fail_create_after_insert = ENOSPC;
  EXPECT_ERRNO(ENOSPC, t.open("/new", O_CREAT | O_RDWR));
  disk.fail_create_after_insert = 0;
  EXPECT_EQ(disk.deletions, 1u);
  EXPECT_ERRNO(ENOENT, t.stat("/new"));
  EXPECT_OK(t.open("/new", O_CREAT | O_RDWR));
}

// ---- rename

TEST_F(names, rename_moves_and_replaces) {
  write_file("/d/g", "g");
  EXPECT_OK(t.rename("/f", "/d/g"));
  EXPECT_EQ(read_file("/d/g"), "f");
  EXPECT_ERRNO(ENOENT, t.stat("/f"));
  EXPECT_EQ(disk.deletions, 1u);
  EXPECT_OK(t.rename("/d/g", "/back"));
  EXPECT_EQ(read_file("/back"), "f");
  EXPECT_EQ(names_in("/d"), (std::vector<std::string>{".", ".."}));
}

TEST_F(names, rename_to_a_long_name_and_back) {
  const std::string longer(255, 'n');
  ASSERT_OK(t.rename("/f", "/" + longer));
  EXPECT_EQ(read_file("/" + longer), "f");
  ASSERT_OK(t.mkdir("/dd", 0755));
  ASSERT_OK(t.rename("/dd", "/d/" + longer));
  ASSERT_OK(t.chdir("/d/" + longer));
  EXPECT_EQ(*t.getcwd(), "/d/" + longer);
  ASSERT_OK(t.rename("/d/" + longer, "/s"));
  EXPECT_EQ(*t.getcwd(), "/s");
}

TEST_F(names, rename_keeps_open_files_and_cached_children) {
  ASSERT_OK(t.mkdir("/d/e", 0755));
  write_file("/d/e/x", "x");
  const int fd = open_ok(t, "/d/e/x", O_RDONLY);
  disk.lookups = 0;
  ASSERT_OK(t.rename("/d/e", "/moved"));
  const unsigned before = disk.lookups;
  EXPECT_EQ(t.stat("/moved/x")->ino, t.fstat(fd)->ino);
  EXPECT_EQ(disk.lookups, before) << "the cache moved along";
  EXPECT_EQ(t.stat("/moved/..")->ino, t.stat("/")->ino);
}

TEST_F(names, rename_errors) {
  ASSERT_OK(t.mkdir("/d/e", 0755));
  ASSERT_OK(t.mkdir("/full", 0755));
  write_file("/full/x", "");
  EXPECT_ERRNO(ENOENT, t.rename("/none", "/x"));
  EXPECT_ERRNO(ENOENT, t.rename("/f", "/none/x"));
  EXPECT_ERRNO(ENOTDIR, t.rename("/d", "/f"));
  EXPECT_ERRNO(EISDIR, t.rename("/f", "/d"));
  EXPECT_ERRNO(ENOTEMPTY, t.rename("/d/e", "/full"));
  EXPECT_ERRNO(EINVAL, t.rename("/d", "/d/e/x"));
  EXPECT_ERRNO(EINVAL, t.rename("/d", "/d/x"));
  EXPECT_ERRNO(ENOTEMPTY, t.rename("/d/e", "/d"));
  EXPECT_ERRNO(EBUSY, t.rename("/", "/x"));
  EXPECT_ERRNO(EBUSY, t.rename("/d/.", "/x"));
  EXPECT_ERRNO(EBUSY, t.rename("/f", "/d/.."));
  EXPECT_ERRNO(ENOTDIR, t.rename("/f/", "/x"));
  EXPECT_ERRNO(ENOTDIR, t.rename("/f", "/x/"));
  EXPECT_OK(t.rename("/d/e", "/x/")) << "a directory may be called so";
  EXPECT_OK(t.rename("/f", "/f"));
  EXPECT_ERRNO(EINVAL, t.renameat2(AT_FDCWD, "/f", AT_FDCWD, "/g", RENAME_WHITEOUT));
}

TEST_F(names, rename_of_two_links_of_one_file_does_nothing) {
  ASSERT_OK(t.link("/f", "/g"));
  EXPECT_OK(t.rename("/f", "/g"));
  EXPECT_OK(t.stat("/f"));
  EXPECT_EQ(t.stat("/g")->nlink, 2u);
}

TEST_F(names, rename_over_an_empty_directory_kills_it) {
  ASSERT_OK(t.mkdir("/e", 0755));
  auto other = make_task();
  ASSERT_OK(other->chdir("/e"));
  EXPECT_ERRNO(ENOENT, other->stat("x"));
  EXPECT_OK(t.rename("/d", "/e"));
  EXPECT_ERRNO(ENOENT, other->open("y", O_CREAT | O_RDWR));
  EXPECT_ERRNO(ENOENT, other->getcwd());
  EXPECT_EQ(t.stat("/")->nlink, 3u);
  ASSERT_OK(other->chdir("/"));
  EXPECT_EQ(disk.deletions, 1u);
}

TEST_F(names, rename_noreplace_and_exchange) {
  write_file("/g", "g");
  EXPECT_ERRNO(EEXIST, t.renameat2(AT_FDCWD, "/f", AT_FDCWD, "/g", RENAME_NOREPLACE));
  EXPECT_ERRNO(EINVAL, t.renameat2(AT_FDCWD, "/f", AT_FDCWD, "/g", RENAME_NOREPLACE | RENAME_EXCHANGE));
  EXPECT_ERRNO(ENOENT, t.renameat2(AT_FDCWD, "/f", AT_FDCWD, "/none", RENAME_EXCHANGE));
  ASSERT_OK(t.renameat2(AT_FDCWD, "/f", AT_FDCWD, "/g", RENAME_EXCHANGE));
  EXPECT_EQ(read_file("/f"), "g");
  EXPECT_EQ(read_file("/g"), "f");
  ASSERT_OK(t.mkdir("/d/sub", 0755));
  ASSERT_OK(t.renameat2(AT_FDCWD, "/d/sub", AT_FDCWD, "/g", RENAME_EXCHANGE));
  EXPECT_EQ(read_file("/d/sub"), "f");
  EXPECT_TRUE(S_ISDIR(t.stat("/g")->mode));
  EXPECT_EQ(t.stat("/g/..")->ino, t.stat("/")->ino);
}

TEST_F(names, a_missing_hook_is_eperm) {
  ram_device other{"least"};
  other.without_optional_hooks = true;
  ASSERT_OK(t.mkdir("/m", 0755));
  ASSERT_OK(k->mount("ramfs", other, "/m"));
  ASSERT_OK(t.close(open_ok(t, "/m/f", O_CREAT | O_RDWR)));
  EXPECT_ERRNO(EPERM, t.mkdir("/m/d", 0755));
  EXPECT_ERRNO(EPERM, t.symlink("x", "/m/l"));
  EXPECT_ERRNO(EPERM, t.mknod("/m/n", S_IFIFO, 0));
  EXPECT_ERRNO(EPERM, t.link("/m/f", "/m/g"));
  EXPECT_ERRNO(EPERM, t.unlink("/m/f"));
  EXPECT_ERRNO(EPERM, t.rename("/m/f", "/m/g"));
  EXPECT_ERRNO(EPERM, t.chmod("/m/f", 0));
  EXPECT_ERRNO(EOPNOTSUPP, t.open("/m", O_TMPFILE | O_RDWR));
  EXPECT_ERRNO(ENOSYS, t.statfs("/m"));
  const int fd = open_ok(t, "/m/f", O_RDWR);
  char byte = 0;
  EXPECT_ERRNO(EINVAL, t.read(fd, &byte, 1));
  EXPECT_ERRNO(EINVAL, t.write(fd, &byte, 1));
  EXPECT_ERRNO(EINVAL, t.fsync(fd));
  EXPECT_ERRNO(EOPNOTSUPP, t.fallocate(fd, 0, 0, 1));
  ASSERT_OK(t.close(fd));
  EXPECT_OK(k->umount("/m"));
}

}  // namespace
}  // namespace xip::vfs::test
