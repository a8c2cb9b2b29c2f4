// Attributes: chmod, chown, times, access, and what a write or a read does to them.
#include <dirent.h>
#include <sys/statvfs.h>

#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

class attributes : public vfs_test {
 protected:
  void SetUp() override {
    write_file("/f", "f");
    ASSERT_OK(t.chown("/f", 1000, 1000));
    owner = make_task(1000, 1000, {2000});
    other = make_task(1001, 1001);
  }
  [[nodiscard]] unsigned mode() { return t.stat("/f")->mode & 07777; }
  void set_times(timespec64 atime, timespec64 mtime) {
    const timespec64 times[2] = {atime, mtime};
    ASSERT_OK(t.utimensat(AT_FDCWD, "/f", times, 0));
  }
  task_ptr owner, other;
};

TEST_F(attributes, the_owner_changes_the_mode) {
  EXPECT_OK(owner->chmod("/f", 0600));
  EXPECT_EQ(mode(), 0600u);
  EXPECT_ERRNO(EPERM, other->chmod("/f", 0644));
  EXPECT_OK(t.chmod("/f", 07777));
  EXPECT_EQ(mode(), 07777u);
  EXPECT_EQ(disk.last_ia_valid, attr_mode | attr_ctime);
}

TEST_F(attributes, set_gid_is_for_the_group_only) {
  ASSERT_OK(t.chown("/f", 1000, 3000));
  EXPECT_OK(owner->chmod("/f", 02755));
  EXPECT_EQ(mode(), 0755u);
}

TEST_F(attributes, only_root_gives_files_away) {
  EXPECT_ERRNO(EPERM, owner->chown("/f", 1001, ~0u));
  EXPECT_OK(owner->chown("/f", 1000, ~0u));
  EXPECT_OK(owner->chown("/f", ~0u, 2000)) << "one of its groups";
  EXPECT_ERRNO(EPERM, owner->chown("/f", ~0u, 3000));
  EXPECT_ERRNO(EPERM, other->chown("/f", ~0u, 1001));
  EXPECT_OK(t.chown("/f", 1, 1));
  EXPECT_EQ(t.stat("/f")->uid, 1u);
}

TEST_F(attributes, chown_takes_set_id_bits_even_from_root) {
  ASSERT_OK(t.chmod("/f", 06755));
  ASSERT_OK(t.chown("/f", 5, 5));
  EXPECT_EQ(mode(), 0755u);
  ASSERT_OK(t.chmod("/f", 06644));
  ASSERT_OK(t.chown("/f", 5, 5));
  EXPECT_EQ(mode(), 02644u) << "without execution it is no privilege";
  ASSERT_OK(t.mkdir("/d", 0755));
  ASSERT_OK(t.chmod("/d", 02755));
  ASSERT_OK(t.chown("/d", 5, 5));
  EXPECT_EQ(t.stat("/d")->mode & 07777, 02755u);
}

TEST_F(attributes, writing_takes_set_id_bits_from_all_but_root) {
  ASSERT_OK(t.chmod("/f", 06777));
  const int rooted = open_ok(t, "/f", O_WRONLY);
  ASSERT_OK(t.write(rooted, "x", 1));
  EXPECT_EQ(mode(), 06777u);
  const int fd = open_ok(*owner, "/f", O_WRONLY);
  ASSERT_OK(owner->write(fd, "x", 1));
  EXPECT_EQ(mode(), 0777u);
  ASSERT_OK(t.chmod("/f", 06777));
  ASSERT_OK(owner->ftruncate(fd, 0));
  EXPECT_EQ(mode(), 0777u);
}

TEST_F(attributes, permission_by_owner_group_and_others) {
  ASSERT_OK(t.chmod("/f", 0640));
  auto group = make_task(1002, 7, {1000});
  EXPECT_OK(owner->open("/f", O_RDWR));
  EXPECT_OK(group->open("/f", O_RDONLY));
  EXPECT_ERRNO(EACCES, group->open("/f", O_RDWR));
  EXPECT_ERRNO(EACCES, other->open("/f", O_RDONLY));
  ASSERT_OK(t.chmod("/f", 0077));
  EXPECT_ERRNO(EACCES, owner->open("/f", O_RDONLY)) << "the first class that fits decides";
  EXPECT_OK(other->open("/f", O_RDWR));
  ASSERT_OK(t.chmod("/f", 0));
  EXPECT_OK(t.open("/f", O_RDWR));
  EXPECT_ERRNO(EACCES, owner->truncate("/f", 0));
}

TEST_F(attributes, access_asks_without_opening) {
  ASSERT_OK(t.chmod("/f", 0640));
  EXPECT_OK(other->access("/f", F_OK));
  EXPECT_ERRNO(EACCES, other->access("/f", R_OK));
  EXPECT_OK(owner->access("/f", R_OK | W_OK));
  EXPECT_ERRNO(EACCES, owner->access("/f", X_OK));
  EXPECT_ERRNO(EACCES, t.access("/f", X_OK)) << "nobody may execute it";
  EXPECT_OK(t.access("/", X_OK));
  EXPECT_ERRNO(EINVAL, t.access("/f", 8));
  EXPECT_ERRNO(ENOENT, t.access("/none", F_OK));
}

TEST_F(attributes, times_are_set_by_the_owner) {
  const timespec64 times[2] = {{-5, 7}, {1'000'000'000'000, 999'999'999}};
  EXPECT_OK(owner->utimensat(AT_FDCWD, "/f", times, 0));
  const auto stat = *t.stat("/f");
  EXPECT_EQ(stat.atime, times[0]);
  EXPECT_EQ(stat.mtime, times[1]);
  EXPECT_GT(stat.ctime, (timespec64{1'600'000'000, 0}));
  EXPECT_ERRNO(EPERM, other->utimensat(AT_FDCWD, "/f", times, 0));
  EXPECT_ERRNO(EACCES, other->utimensat(AT_FDCWD, "/f", nullptr, 0));
  ASSERT_OK(t.chmod("/f", 0666));
  EXPECT_OK(other->utimensat(AT_FDCWD, "/f", nullptr, 0)) << "who may write may touch";
  const timespec64 half[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  EXPECT_ERRNO(EPERM, other->utimensat(AT_FDCWD, "/f", half, 0));
}

TEST_F(attributes, now_and_omit) {
  set_times({1, 1}, {2, 2});
  const timespec64 half[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
  const int fd = open_ok(t, "/f", O_RDONLY);
  EXPECT_OK(t.futimens(fd, half));
  EXPECT_EQ(t.fstat(fd)->atime, (timespec64{1, 1}));
  EXPECT_GT(t.fstat(fd)->mtime.seconds, 2);
  const unsigned before = disk.setattrs;
  const timespec64 none[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  EXPECT_OK(other->utimensat(AT_FDCWD, "/none", none, 0)) << "nothing to do: not even the path is looked at";
  EXPECT_EQ(disk.setattrs, before);
  const timespec64 wrong[2] = {{0, 1'000'000'000}, {0, 0}};
  EXPECT_ERRNO(EINVAL, t.futimens(fd, wrong));
}

TEST_F(attributes, a_symlink_has_times_and_an_owner_of_its_own) {
  ASSERT_OK(t.symlink("f", "/l"));
  const timespec64 times[2] = {{1, 1}, {2, 2}};
  EXPECT_OK(t.utimensat(AT_FDCWD, "/l", times, AT_SYMLINK_NOFOLLOW));
  EXPECT_EQ(t.lstat("/l")->mtime, times[1]);
  EXPECT_NE(t.stat("/f")->mtime, times[1]);
  EXPECT_OK(t.lchown("/l", 9, 9));
  EXPECT_EQ(t.lstat("/l")->uid, 9u);
  EXPECT_EQ(t.stat("/f")->uid, 1000u);
}

// ---- atime

class access_time : public attributes {
 protected:
  [[nodiscard]] bool read_changes_atime() {
    const timespec64 before = t.stat("/f")->atime;
    (void)read_file("/f");
    return t.stat("/f")->atime != before;
  }
};

TEST_F(access_time, relatime_is_the_default) {
  const std::int64_t now = current_time().seconds;
  set_times({now - 100, 0}, {now - 50, 0});
  EXPECT_TRUE(read_changes_atime()) << "older than mtime";
  set_times({now + 100, 0}, {now - 50, 0});
  EXPECT_FALSE(read_changes_atime()) << "newer than mtime and ctime, and not a day old";
}

TEST_F(access_time, relatime_renews_what_is_a_day_old) {
  const std::int64_t now = current_time().seconds;
  const auto number = static_cast<std::uint32_t>(t.stat("/f")->ino);
  const auto aged = [&](std::int64_t atime_age, std::int64_t change_age) {
    k->drop_caches();
    inode_times& times = disk.nodes.at(number).times;
    times.atime = {now - atime_age, 0};
    times.mtime = times.ctime = {now - change_age, 0};
    return read_changes_atime();
  };
  EXPECT_TRUE(aged(24 * 3600, 30 * 3600));
  EXPECT_FALSE(aged(23 * 3600, 30 * 3600));
  EXPECT_TRUE(aged(23 * 3600, 23 * 3600)) << "not newer than the change";
}

TEST_F(access_time, strictatime_always_noatime_never) {
  const std::int64_t now = current_time().seconds;
  ASSERT_OK(k->remount("/", "strictatime"));
  set_times({now + 100, 0}, {1, 0});
  EXPECT_TRUE(read_changes_atime());
  ASSERT_OK(k->remount("/", "noatime"));
  set_times({1, 0}, {now, 0});
  EXPECT_FALSE(read_changes_atime());
  ASSERT_OK(k->remount("/", "relatime,ro"));
  EXPECT_FALSE(read_changes_atime());
}

TEST_F(access_time, nodiratime_is_for_directories) {
  ASSERT_OK(k->remount("/", "strictatime,nodiratime"));
  const timespec64 times[2] = {{1, 0}, {2, 0}};
  ASSERT_OK(t.utimensat(AT_FDCWD, "/", times, 0));
  (void)names_in("/");
  EXPECT_EQ(t.stat("/")->atime, times[0]);
  set_times({1, 0}, {2, 0});
  EXPECT_TRUE(read_changes_atime());
  ASSERT_OK(k->remount("/", "diratime"));
  (void)names_in("/");
  EXPECT_NE(t.stat("/")->atime, times[0]);
}

TEST_F(access_time, o_noatime_is_for_owners) {
  ASSERT_OK(k->remount("/", "strictatime"));
  EXPECT_ERRNO(EPERM, other->open("/f", O_RDONLY | O_NOATIME));
  set_times({1, 0}, {2, 0});
  const int fd = open_ok(*owner, "/f", O_RDONLY | O_NOATIME);
  char byte;
  EXPECT_OK(owner->read(fd, &byte, 1));
  EXPECT_EQ(t.stat("/f")->atime, (timespec64{1, 0}));
}

// ---- stat

TEST_F(attributes, statx_flags) {
  const int fd = open_ok(t, "/f", O_PATH);
  EXPECT_EQ(t.statx(fd, "", AT_EMPTY_PATH, 0x7ff)->ino, t.stat("/f")->ino);
  EXPECT_ERRNO(ENOENT, t.statx(fd, "", 0, 0x7ff));
  EXPECT_ERRNO(EINVAL, t.statx(AT_FDCWD, "/f", 1 << 30, 0x7ff));
  EXPECT_ERRNO(EINVAL, t.statx(AT_FDCWD, "/f", 0, 0x80000000u));
  EXPECT_EQ(t.statx(AT_FDCWD, "", AT_EMPTY_PATH, 0)->ino, t.stat(".")->ino);
}

TEST_F(attributes, statfs_tells_the_mount_flags) {
  ASSERT_OK(k->remount("/", "ro,noatime,nosuid"));
  const auto fs = *t.statfs("/f");
  EXPECT_EQ(fs.type, 0x72616du);
  EXPECT_EQ(fs.flags & (ST_RDONLY | ST_NOATIME | ST_NOSUID | ST_RELATIME), static_cast<unsigned>(ST_RDONLY | ST_NOATIME | ST_NOSUID));
  EXPECT_ERRNO(EBADF, t.fstatfs(99));
}

// ---- directories

TEST_F(attributes, getdents_goes_on_where_it_stopped) {
  for (const char* name : {"/1", "/2", "/3"}) write_file(name, "");
  const int fd = open_ok(t, "/", O_RDONLY);
  auto first = *t.getdents(fd, 3);
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(first[0].name, ".");
  EXPECT_EQ(first[2].name, "f");
  EXPECT_EQ(first[2].type, unsigned{DT_REG});
  const loff_t after_two = first[1].off;
  auto rest = *t.getdents(fd, 10);
  EXPECT_EQ(rest.size(), 3u);
  EXPECT_TRUE(t.getdents(fd, 10)->empty());
  EXPECT_EQ(*t.lseek(fd, after_two, SEEK_SET), after_two);
  EXPECT_EQ(t.getdents(fd, 10)->front().name, "f");
  EXPECT_EQ(*t.lseek(fd, rest.back().off, SEEK_SET), rest.back().off);
  EXPECT_TRUE(t.getdents(fd, 10)->empty());
  EXPECT_ERRNO(EINVAL, t.getdents(fd, 0));
  EXPECT_ERRNO(EBADF, t.getdents(99));
  EXPECT_ERRNO(ENOTDIR, t.getdents(open_ok(t, "/f", O_RDONLY)));
}

TEST_F(attributes, getdents_of_a_removed_directory) {
  ASSERT_OK(t.mkdir("/d", 0755));
  const int fd = open_ok(t, "/d", O_RDONLY);
  ASSERT_OK(t.rmdir("/d"));
  EXPECT_ERRNO(ENOENT, t.getdents(fd));
}

// ---- fsync and write-back errors

TEST_F(attributes, sync_calls_reach_the_file_system) {
  const int fd = open_ok(t, "/f", O_RDWR);
  EXPECT_OK(t.fsync(fd));
  EXPECT_OK(t.fdatasync(fd));
  EXPECT_OK(t.syncfs(fd));
  EXPECT_OK(k->sync());
  EXPECT_EQ(disk.fsyncs, 1u);
  EXPECT_EQ(disk.datasyncs, 1u);
  EXPECT_EQ(disk.syncs, 2u);
  disk.fail_sync = EIO;
  EXPECT_ERRNO(EIO, t.syncfs(fd));
  EXPECT_ERRNO(EIO, k->sync());
  disk.fail_sync = 0;
  EXPECT_ERRNO(EBADF, t.fsync(99));
  EXPECT_ERRNO(EBADF, t.syncfs(99));
  EXPECT_OK(t.fsync(open_ok(t, "/", O_RDONLY))) << "of a directory";
}

TEST_F(attributes, a_write_back_error_is_told_once_to_each_open_file) {
  const int one = open_ok(t, "/f", O_RDWR);
  const int two = open_ok(*owner, "/f", O_RDONLY);
  disk.in_evict = nullptr;
  inode* i = nullptr;
  disk.in_lookup = [&](inode& dir) { i = &dir; };
  EXPECT_ERRNO(ENOENT, t.stat("/none"));
  ASSERT_NE(i, nullptr);
  disk.in_lookup = nullptr;
  // The inode of /f itself, by its number.
  auto f = iget_locked(i->i_sb, ino_t{static_cast<std::uint32_t>(t.stat("/f")->ino)});
  ASSERT_OK(f);
  mapping_set_error(f->ref->i_mapping, ENOSPC);
  const int unseen = open_ok(t, "/f", O_RDWR);
  EXPECT_ERRNO(ENOSPC, t.fsync(one));
  EXPECT_OK(t.fsync(one));
  EXPECT_ERRNO(ENOSPC, owner->fsync(two));
  EXPECT_OK(owner->fsync(two));
  EXPECT_ERRNO(ENOSPC, t.fsync(unseen)) << "nobody had seen it when this one was opened";
  EXPECT_OK(t.fsync(open_ok(t, "/f", O_RDWR))) << "somebody has seen it";
  mapping_set_error(f->ref->i_mapping, ENOSPC);
  EXPECT_ERRNO(ENOSPC, t.fsync(one)) << "the same error again is news";
}

}  // namespace
}  // namespace xip::vfs::test
