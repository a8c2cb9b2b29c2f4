// open and its flags.
#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

using open_flags = vfs_test;

TEST_F(open_flags, creates_only_when_asked_to) {
  EXPECT_ERRNO(ENOENT, t.open("/a", O_RDWR));
  EXPECT_OK(t.open("/a", O_RDWR | O_CREAT, 0644));
  EXPECT_OK(t.open("/a", O_RDWR | O_CREAT, 0644));
  EXPECT_EQ(disk.creates, 1u);
}

TEST_F(open_flags, excl_refuses_what_exists) {
  write_file("/a", "x");
  ASSERT_OK(t.symlink("nowhere", "/dangling"));
  EXPECT_ERRNO(EEXIST, t.open("/a", O_CREAT | O_EXCL | O_WRONLY));
  EXPECT_ERRNO(EEXIST, t.open("/dangling", O_CREAT | O_EXCL | O_WRONLY)) << "a symlink is a name that exists";
  EXPECT_ERRNO(EEXIST, t.open("/", O_CREAT | O_EXCL | O_WRONLY));
  EXPECT_ERRNO(EEXIST, t.open("/.", O_CREAT | O_EXCL));
  EXPECT_ERRNO(ENOENT, t.stat("/nowhere"));
}

TEST_F(open_flags, creat_makes_the_target_of_a_dangling_symlink) {
  ASSERT_OK(t.mkdir("/d", 0755));
  ASSERT_OK(t.symlink("d/made", "/link"));
  ASSERT_OK(t.symlink("/link", "/link2"));
  EXPECT_OK(t.open("/link2", O_CREAT | O_WRONLY, 0600));
  EXPECT_OK(t.stat("/d/made"));
  EXPECT_TRUE(S_ISLNK(t.lstat("/link")->mode));
}

TEST_F(open_flags, nofollow_refuses_a_symlink_at_the_end_only) {
  ASSERT_OK(t.mkdir("/d", 0755));
  write_file("/d/f", "x");
  ASSERT_OK(t.symlink("d", "/ld"));
  ASSERT_OK(t.symlink("d/f", "/lf"));
  EXPECT_ERRNO(ELOOP, t.open("/lf", O_RDONLY | O_NOFOLLOW));
  EXPECT_ERRNO(ELOOP, t.open("/lf", O_WRONLY | O_CREAT | O_NOFOLLOW));
  EXPECT_OK(t.open("/ld/f", O_RDONLY | O_NOFOLLOW));
  EXPECT_ERRNO(ENOTDIR, t.open("/ld", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
  EXPECT_OK(t.open("/ld/", O_RDONLY | O_NOFOLLOW)) << "a trailing slash follows";
}

TEST_F(open_flags, directory_wants_a_directory) {
  write_file("/f", "");
  EXPECT_ERRNO(ENOTDIR, t.open("/f", O_RDONLY | O_DIRECTORY));
  EXPECT_OK(t.open("/", O_RDONLY | O_DIRECTORY));
  EXPECT_ERRNO(EINVAL, t.open("/new", O_CREAT | O_DIRECTORY | O_RDONLY));
}

TEST_F(open_flags, directories_are_not_written) {
  ASSERT_OK(t.mkdir("/d", 0755));
  EXPECT_ERRNO(EISDIR, t.open("/d", O_WRONLY));
  EXPECT_ERRNO(EISDIR, t.open("/d", O_RDWR));
  EXPECT_ERRNO(EISDIR, t.open("/d", O_RDONLY | O_CREAT));
  EXPECT_ERRNO(EISDIR, t.open("/d", O_RDONLY | O_TRUNC));
  EXPECT_ERRNO(EISDIR, t.open("/new/", O_WRONLY | O_CREAT));
  EXPECT_ERRNO(EISDIR, t.open("/d/..", O_WRONLY | O_CREAT));
}

TEST_F(open_flags, trunc_empties_and_sets_times) {
  write_file("/f", "contents");
  disk.setattrs = 0;
  const int fd = open_ok(t, "/f", O_WRONLY | O_TRUNC);
  EXPECT_EQ(t.fstat(fd)->size, 0);
  EXPECT_EQ(disk.setattrs, 1u);
  EXPECT_EQ(disk.last_ia_valid & (attr_size | attr_mtime | attr_ctime), attr_size | attr_mtime | attr_ctime);
}

TEST_F(open_flags, trunc_does_not_touch_a_file_just_made) {
  (void)open_ok(t, "/f", O_WRONLY | O_TRUNC | O_CREAT);
  EXPECT_EQ(disk.setattrs, 0u);
}

TEST_F(open_flags, path_is_a_place_and_not_a_file) {
  write_file("/f", "x", 0);
  ASSERT_OK(t.symlink("f", "/l"));
  auto other = make_task(1000, 1000);
  const int fd = open_ok(*other, "/f", O_PATH | O_RDWR);
  char byte = 0;
  EXPECT_ERRNO(EBADF, other->read(fd, &byte, 1));
  EXPECT_ERRNO(EBADF, other->write(fd, &byte, 1));
  EXPECT_ERRNO(EBADF, other->lseek(fd, 0, SEEK_SET));
  EXPECT_ERRNO(EBADF, other->fsync(fd));
  EXPECT_ERRNO(EBADF, other->ftruncate(fd, 0));
  EXPECT_ERRNO(EBADF, other->fchmod(fd, 0));
  EXPECT_ERRNO(EBADF, other->fallocate(fd, 0, 0, 1));
  EXPECT_ERRNO(EBADF, other->fcntl(fd, F_SETFL, O_APPEND));
  EXPECT_TRUE(S_ISREG(other->fstat(fd)->mode));
  const int link = open_ok(*other, "/l", O_PATH | O_NOFOLLOW);
  EXPECT_TRUE(S_ISLNK(other->fstat(link)->mode));
  EXPECT_EQ(*other->readlinkat(link, ""), "f");
  EXPECT_EQ(disk.releases, 1u) << "only write_file's";
}

TEST_F(open_flags, tmpfile_has_no_name_until_it_is_linked) {
  ASSERT_OK(t.mkdir("/d", 0755));
  EXPECT_ERRNO(EINVAL, t.open("/d", O_TMPFILE | O_RDONLY));
  const int fd = open_ok(t, "/d", O_TMPFILE | O_RDWR, 0600);
  EXPECT_EQ(*t.write(fd, "abc", 3), 3u);
  EXPECT_EQ(names_in("/d"), (std::vector<std::string>{".", ".."}));
  EXPECT_EQ(t.fstat(fd)->nlink, 0u);
  EXPECT_OK(t.linkat(fd, "", AT_FDCWD, "/d/named", AT_EMPTY_PATH));
  EXPECT_OK(t.close(fd));
  EXPECT_EQ(read_file("/d/named"), "abc");
  EXPECT_EQ(disk.deletions, 0u);
}

TEST_F(open_flags, tmpfile_with_excl_stays_nameless) {
  const int fd = open_ok(t, "/", O_TMPFILE | O_RDWR | O_EXCL, 0600);
  EXPECT_ERRNO(ENOENT, t.linkat(fd, "", AT_FDCWD, "/named", AT_EMPTY_PATH));
  EXPECT_OK(t.close(fd));
  EXPECT_EQ(disk.deletions, 1u);
}

TEST_F(open_flags, flags_are_kept_but_those_of_the_opening) {
  const int fd = open_ok(t, "/f", O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_SYNC | O_DIRECT | O_CLOEXEC);
  const int flags = *t.fcntl(fd, F_GETFL);
  EXPECT_EQ(flags & (O_ACCMODE | O_APPEND | O_SYNC | O_DIRECT), O_RDWR | O_APPEND | O_SYNC | O_DIRECT);
  EXPECT_EQ(flags & (O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC), 0);
  EXPECT_EQ(*t.fcntl(fd, F_GETFD), FD_CLOEXEC);
  char byte = 0;
  EXPECT_OK(t.read(fd, &byte, 1));
  EXPECT_EQ(disk.last_iocb_flags, iocb_append | iocb_direct | iocb_dsync | iocb_sync);
  EXPECT_OK(t.fcntl(fd, F_SETFL, 0));
  EXPECT_OK(t.read(fd, &byte, 1));
  EXPECT_EQ(disk.last_iocb_flags, iocb_dsync | iocb_sync) << "O_SYNC cannot be taken back";
}

TEST_F(open_flags, umask_is_taken_off_the_mode) {
  EXPECT_EQ(t.umask(027), 022u);
  write_file("/f", "", 0666);
  EXPECT_EQ(t.stat("/f")->mode, S_IFREG | 0640u);
  ASSERT_OK(t.mkdir("/d", 07777));
  EXPECT_EQ(t.stat("/d")->mode, S_IFDIR | S_ISVTX | 0750u);
}

TEST_F(open_flags, devices_and_fifos_have_no_driver_here) {
  ASSERT_OK(t.mknod("/fifo", S_IFIFO | 0666, 0));
  ASSERT_OK(t.mknod("/dev", S_IFCHR | 0666, 0x501));
  EXPECT_ERRNO(ENXIO, t.open("/fifo", O_RDONLY));
  EXPECT_ERRNO(ENXIO, t.open("/dev", O_RDWR));
  EXPECT_EQ(t.stat("/dev")->rdev, 0x501u);
  EXPECT_OK(t.open("/dev", O_PATH));
}

TEST_F(open_flags, a_hook_may_refuse) {
  write_file("/f", "");
  disk.fail_open = EIO;
  EXPECT_ERRNO(EIO, t.open("/f", O_RDWR));
  disk.fail_open = 0;
  EXPECT_OK(k->remount("/", "ro")) << "the refused open is no writer";
}

TEST_F(open_flags, openat_starts_at_a_directory) {
  ASSERT_OK(t.mkdir("/d", 0755));
  write_file("/d/f", "x");
  const int dir = open_ok(t, "/d", O_RDONLY);
  const int file = open_ok(t, "/d/f", O_RDONLY);
  EXPECT_OK(t.openat(dir, "f", O_RDONLY));
  EXPECT_OK(t.openat(-5, "/d/f", O_RDONLY)) << "an absolute path needs no descriptor";
  EXPECT_ERRNO(EBADF, t.openat(99, "f", O_RDONLY));
  EXPECT_ERRNO(ENOTDIR, t.openat(file, "f", O_RDONLY));
}

TEST_F(open_flags, read_only_file_systems_refuse_writers) {
  write_file("/f", "");
  ASSERT_OK(k->remount("/", "ro"));
  EXPECT_ERRNO(EROFS, t.open("/f", O_RDWR));
  EXPECT_ERRNO(EROFS, t.open("/new", O_RDONLY | O_CREAT));
  EXPECT_ERRNO(EROFS, t.open("/f", O_RDONLY | O_TRUNC));
  EXPECT_OK(t.open("/f", O_RDONLY | O_CREAT)) << "it is there already";
}

TEST_F(open_flags, append_only_and_immutable_files) {
  write_file("/append", "");
  write_file("/immutable", "");
  ASSERT_OK(k->remount("/", "rw"));
  const auto set = [&](const std::string& name, std::uint32_t flag) {
    const int fd = open_ok(t, name, O_RDONLY);
    EXPECT_GE(fd, 0);
    disk.nodes.at(static_cast<std::uint32_t>(t.fstat(fd)->ino)).flags = flag;
    EXPECT_OK(t.close(fd));
  };
  set("/append", s_append);
  set("/immutable", s_immutable);
  k->drop_caches();
  EXPECT_ERRNO(EPERM, t.open("/append", O_WRONLY));
  EXPECT_ERRNO(EPERM, t.open("/append", O_WRONLY | O_APPEND | O_TRUNC));
  EXPECT_ERRNO(EPERM, t.truncate("/append", 0));
  EXPECT_ERRNO(EPERM, t.unlink("/append"));
  const int fd = open_ok(t, "/append", O_WRONLY | O_APPEND);
  EXPECT_ERRNO(EPERM, t.ftruncate(fd, 0));
  EXPECT_ERRNO(EPERM, t.fcntl(fd, F_SETFL, 0));
  EXPECT_ERRNO(EPERM, t.open("/immutable", O_WRONLY));
  EXPECT_ERRNO(EPERM, t.chmod("/immutable", 0));
  EXPECT_ERRNO(EPERM, t.link("/immutable", "/other"));
  EXPECT_ERRNO(EPERM, t.unlink("/immutable"));
}

}  // namespace
}  // namespace xip::vfs::test
