// mount, umount, remount, several mounts at once.
#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

class mounts : public vfs_test {
 protected:
  void SetUp() override {
    ASSERT_OK(t.mkdir("/m", 0755));
    write_file("/m/covered", "");
  }
  void mount_second() { ASSERT_OK(k->mount("ramfs", second, "/m")); }
  [[nodiscard]] std::string message(const std::expected<void, mount_failure>& r) { return r ? "" : r.error().message; }
};

TEST_F(mounts, a_mount_hides_what_it_covers) {
  mount_second();
  EXPECT_ERRNO(ENOENT, t.stat("/m/covered"));
  write_file("/m/x", "x");
  ASSERT_OK(k->umount("/m"));
  EXPECT_OK(t.stat("/m/covered"));
  EXPECT_ERRNO(ENOENT, t.stat("/m/x"));
  ASSERT_OK(k->mount("ramfs", second, "/m"));
  EXPECT_EQ(read_file("/m/x"), "x") << "it is on the device";
}

TEST_F(mounts, the_walk_crosses_in_both_directions) {
  mount_second();
  ASSERT_OK(t.mkdir("/m/d", 0755));
  EXPECT_NE(t.stat("/m")->dev, t.stat("/")->dev);
  EXPECT_EQ(t.stat("/m/d/../..")->ino, t.stat("/")->ino);
  EXPECT_EQ(t.stat("/m/d/../..")->dev, t.stat("/")->dev);
  EXPECT_EQ(t.stat("/m/../m/d/..")->dev, t.stat("/m")->dev);
  const auto is_mount_root = [&](const char* name) { return (t.stat(name)->attributes & STATX_ATTR_MOUNT_ROOT) != 0; };
  EXPECT_TRUE(is_mount_root("/") && is_mount_root("/m"));
  EXPECT_FALSE(is_mount_root("/m/d"));
  ASSERT_OK(t.chdir("/m/d"));
  EXPECT_EQ(*t.getcwd(), "/m/d");
  ASSERT_OK(t.chdir("../.."));
  EXPECT_EQ(*t.getcwd(), "/");
}

TEST_F(mounts, one_on_top_of_the_other) {
  ram_device third{"third"};
  mount_second();
  write_file("/m/in_second", "");
  ASSERT_OK(k->mount("ramfs", third, "/m"));
  EXPECT_ERRNO(ENOENT, t.stat("/m/in_second"));
  EXPECT_EQ(t.stat("/m/..")->dev, t.stat("/")->dev);
  ASSERT_OK(k->umount("/m"));
  EXPECT_OK(t.stat("/m/in_second"));
  ASSERT_OK(k->umount("/m"));
  EXPECT_OK(t.stat("/m/covered"));
}

TEST_F(mounts, busy_while_in_use) {
  mount_second();
  const int fd = open_ok(t, "/m", O_RDONLY);
  EXPECT_ERRNO(EBUSY, k->umount("/m"));
  ASSERT_OK(t.close(fd));
  ASSERT_OK(t.chdir("/m"));
  EXPECT_ERRNO(EBUSY, k->umount("/m"));
  ASSERT_OK(t.chdir("/"));
  ASSERT_OK(t.mkdir("/m/inner", 0755));
  ram_device third{"third"};
  ASSERT_OK(k->mount("ramfs", third, "/m/inner"));
  EXPECT_ERRNO(EBUSY, k->umount("/m"));
  ASSERT_OK(k->umount("/m/inner"));
  EXPECT_OK(k->umount("/m"));
  EXPECT_ERRNO(EBUSY, k->umount("/")) << "the task's root and working directory";
}

TEST_F(mounts, umount_wants_a_mount) {
  EXPECT_ERRNO(EINVAL, k->umount("/m"));
  EXPECT_ERRNO(ENOENT, k->umount("/none"));
  second.fail_kill = EIO;
  mount_second();
  EXPECT_ERRNO(EIO, k->umount("/m")) << "the last write-back failed, but it is gone";
  EXPECT_OK(t.stat("/m/covered"));
}

TEST_F(mounts, the_mountpoint_is_neither_removed_nor_moved) {
  ASSERT_OK(t.mkdir("/p", 0755));
  ASSERT_OK(k->mount("ramfs", second, "/p"));
  EXPECT_ERRNO(EBUSY, t.rmdir("/p"));
  EXPECT_ERRNO(EBUSY, t.rename("/p", "/q"));
  ASSERT_OK(t.mkdir("/q", 0755));
  EXPECT_ERRNO(EBUSY, t.rename("/q", "/p"));
  ASSERT_OK(k->umount("/p"));
  EXPECT_OK(t.rename("/q", "/p"));
}

TEST_F(mounts, names_do_not_cross) {
  mount_second();
  write_file("/f", "");
  EXPECT_ERRNO(EXDEV, t.rename("/f", "/m/f"));
  EXPECT_ERRNO(EXDEV, t.link("/f", "/m/f"));
}

TEST_F(mounts, failures_explain_themselves) {
  second.fail_mount = EUCLEAN;
  auto failed = k->mount("ramfs", second, "/m");
  EXPECT_ERRNO(EUCLEAN, failed);
  EXPECT_EQ(message(failed), "second: told to fail");
  second.fail_mount = 0;
  failed = k->mount("ramfs", second, "/m", "ro,sqeak");
  EXPECT_ERRNO(EINVAL, failed);
  EXPECT_EQ(message(failed), "second: unknown mount option 'sqeak'");
  failed = k->mount("nofs", second, "/m");
  EXPECT_ERRNO(ENODEV, failed);
  EXPECT_EQ(message(failed), "second: unknown file system type 'nofs'");
  failed = k->mount("ramfs", second, "/none");
  EXPECT_ERRNO(ENOENT, failed);
  EXPECT_THAT(message(failed), testing::HasSubstr("/none"));
  EXPECT_ERRNO(ENOTDIR, k->mount("ramfs", second, "/m/covered"));
  failed = k->mount("ramfs", disk, "/m");
  EXPECT_ERRNO(EBUSY, failed);
  EXPECT_EQ(message(failed), "ram: already mounted on /");
  second.fail_read_inode = EIO;
  EXPECT_ERRNO(EIO, k->mount("ramfs", second, "/m"));
  EXPECT_OK(t.stat("/m/covered")) << "nothing was mounted";
}

TEST_F(mounts, types_have_one_name) { EXPECT_ERRNO(EBUSY, k->register_filesystem(ramfs_type())); }

TEST_F(mounts, are_listed_as_in_proc) {
  ASSERT_OK(t.mkdir("/with blank", 0755));
  ASSERT_OK(k->mount("ramfs", second, "/with blank/", "ro,noatime,nodev"));
  EXPECT_EQ(k->mounts(), "ram / ramfs rw,relatime,ram\nsecond /with\\040blank ramfs ro,nodev,noatime,ram\n");
}

TEST_F(mounts, remount_read_only_waits_for_nobody) {
  const int fd = open_ok(t, "/f", O_CREAT | O_WRONLY);
  auto failed = k->remount("/", "ro");
  EXPECT_ERRNO(EBUSY, failed);
  EXPECT_THAT(message(failed), testing::StartsWith("ram: "));
  EXPECT_OK(t.write(fd, "x", 1)) << "and everything goes on";
  EXPECT_OK(t.close(open_ok(t, "/f", O_WRONLY)));
  ASSERT_OK(t.close(fd));
  const int reader = open_ok(t, "/f", O_RDONLY);
  ASSERT_OK(t.unlink("/f"));
  EXPECT_ERRNO(EBUSY, k->remount("/", "ro")) << "its blocks are freed at close";
  ASSERT_OK(t.close(reader));
  const unsigned syncs = disk.syncs;
  EXPECT_OK(k->remount("/", "ro"));
  EXPECT_EQ(disk.syncs, syncs + 1);
  EXPECT_ERRNO(EROFS, t.open("/g", O_CREAT | O_WRONLY));
  EXPECT_OK(k->remount("/", "rw"));
  EXPECT_OK(t.open("/g", O_CREAT | O_WRONLY));
}

TEST_F(mounts, a_remount_keeps_what_it_does_not_name) {
  ASSERT_OK(k->remount("/", "noatime,nosuid"));
  ASSERT_OK(k->remount("/", "nodev"));
  EXPECT_THAT(k->mounts(), testing::HasSubstr("rw,nosuid,nodev,noatime"));
  EXPECT_ERRNO(EINVAL, k->remount("/", "strange"));
  EXPECT_ERRNO(EINVAL, k->remount("/m", "ro"));
  disk.fail_remount = EIO;
  EXPECT_ERRNO(EIO, k->remount("/", "suid"));
  disk.fail_remount = 0;
  EXPECT_THAT(k->mounts(), testing::HasSubstr("nosuid"));
}

TEST_F(mounts, nodev_refuses_devices) {
  ASSERT_OK(t.mknod("/dev", S_IFBLK | 0666, 1));
  ASSERT_OK(k->remount("/", "nodev"));
  EXPECT_ERRNO(EACCES, t.open("/dev", O_RDONLY));
  ASSERT_OK(k->remount("/", "noexec"));
  write_file("/prog", "", 0755);
  EXPECT_ERRNO(EACCES, t.access("/prog", X_OK));
}

TEST_F(mounts, a_mountpoint_that_was_removed_takes_no_mount) {
  ASSERT_OK(t.mkdir("/gone", 0755));
  ASSERT_OK(t.chdir("/gone"));
  auto other = make_task();
  ASSERT_OK(other->rmdir("/gone"));
  EXPECT_ERRNO(ENOENT, k->mount("ramfs", second, "/gone"));
}

TEST(kernel_instance, unmounts_in_reverse_order_when_it_ends) {
  counting_resource memory;
  ram_device first{"first"}, second{"second"};
  {
    kernel k{{.memory = &memory}};
    ASSERT_OK(k.register_filesystem(ramfs_type()));
    ASSERT_OK(k.mount("ramfs", first, "/"));
    task_ptr t{*k.make_task()};
    ASSERT_OK(t->mkdir("/m", 0755));
    ASSERT_OK(k.mount("ramfs", second, "/m"));
    ASSERT_OK(t->close(*t->open("/m/f", O_CREAT | O_RDWR, 0644)));
  }
  EXPECT_EQ(second.evictions, 2u);
  EXPECT_EQ(second.deletions, 0u);
}

TEST(kernel_instance, a_task_may_be_older_than_the_first_mount) {
  ram_device disk;
  kernel k;
  ASSERT_OK(k.register_filesystem(ramfs_type()));
  task_ptr t{*k.make_task()};
  EXPECT_ERRNO(ENOENT, t->stat("/"));
  EXPECT_ERRNO(ENOENT, t->getcwd());
  auto early = k.mount("ramfs", disk, "/m");
  EXPECT_ERRNO(ENOENT, early);
  ASSERT_OK(k.mount("ramfs", disk, "/"));
  EXPECT_OK(t->stat("/"));
  EXPECT_EQ(*t->getcwd(), "/");
}

TEST(kernel_instance, the_root_can_be_unmounted_when_nobody_is_left) {
  ram_device disk;
  kernel k;
  ASSERT_OK(k.register_filesystem(ramfs_type()));
  ASSERT_OK(k.mount("ramfs", disk, "/"));
  {
    const task_ptr t{*k.make_task()};
  }
  ASSERT_OK(k.umount("/"));
  EXPECT_EQ(k.mounts(), "");
  EXPECT_OK(k.mount("ramfs", disk, "/"));
}

TEST(kernel_instance, two_share_nothing) {
  ram_device one_disk, two_disk;
  kernel one, two;
  for (auto [k, disk] : {std::pair{&one, &one_disk}, std::pair{&two, &two_disk}}) {
    ASSERT_OK(k->register_filesystem(ramfs_type()));
    ASSERT_OK(k->mount("ramfs", *disk, "/"));
  }
  task_ptr a{*one.make_task()}, b{*two.make_task()};
  ASSERT_OK(a->mkdir("/d", 0755));
  EXPECT_ERRNO(ENOENT, b->stat("/d"));
}

TEST(kernel_instance, messages_go_to_the_log) {
  std::string seen;
  kernel k{{.log = [&](log_level, std::string_view text) { seen = text; }}};
  k.printk(log_level::info, "hello");
  EXPECT_EQ(seen, "hello");
}

}  // namespace
}  // namespace xip::vfs::test
