// Descriptor tables: close, dup, fcntl, fork.
#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

class descriptors : public vfs_test {
 protected:
  void SetUp() override { write_file("/f", "0123456789"); }
};

TEST_F(descriptors, the_lowest_free_one_is_given) {
  for (int fd = 0; fd < 200; ++fd) EXPECT_EQ(*t.open("/f", O_RDONLY), fd);
  for (const int fd : {150, 3, 64}) ASSERT_OK(t.close(fd));
  for (const int fd : {3, 64, 150, 200}) EXPECT_EQ(*t.open("/f", O_RDONLY), fd);
  EXPECT_ERRNO(EBADF, t.close(999));
  EXPECT_ERRNO(EBADF, t.close(-1));
  ASSERT_OK(t.close(5));
  EXPECT_ERRNO(EBADF, t.close(5));
}

TEST_F(descriptors, there_is_a_limit) {
  t.limits.nofile = 3;
  for (int n = 0; n < 3; ++n) EXPECT_OK(t.open("/f", O_RDONLY));
  const unsigned releases = disk.releases;
  EXPECT_ERRNO(EMFILE, t.open("/f", O_RDONLY));
  EXPECT_EQ(disk.releases, releases) << "the file system was not asked";
  EXPECT_ERRNO(EMFILE, t.open("/nothing", O_RDONLY));
  EXPECT_ERRNO(EMFILE, t.open("/new", O_CREAT | O_RDWR, 0644));
  EXPECT_ERRNO(ENOENT, t.stat("/new")) << "nothing was made for a descriptor that is not there";
  EXPECT_ERRNO(EMFILE, t.open("/f", O_TRUNC | O_RDWR));
  EXPECT_EQ(t.stat("/f")->size, 10);
  EXPECT_ERRNO(EMFILE, t.dup(0));
  EXPECT_ERRNO(EBADF, t.dup2(0, 3));
}

TEST_F(descriptors, an_open_that_fails_keeps_none) {
  EXPECT_ERRNO(ENOENT, t.open("/nothing", O_RDONLY | O_CLOEXEC));
  EXPECT_ERRNO(EISDIR, t.open("/", O_RDWR));
  EXPECT_EQ(*t.open("/f", O_RDONLY), 0);
  EXPECT_EQ(*t.fcntl(0, F_GETFD), 0);
}

TEST_F(descriptors, dup2_and_dup3) {
  const int a = open_ok(t, "/f", O_RDONLY);
  const int b = open_ok(t, "/f", O_RDONLY);
  const unsigned releases = disk.releases;
  EXPECT_EQ(*t.dup2(a, b), b);
  EXPECT_EQ(disk.releases, releases + 1) << "what was there is closed";
  EXPECT_EQ(*t.dup2(a, a), a);
  EXPECT_EQ(*t.dup3(a, 77, O_CLOEXEC), 77);
  EXPECT_EQ(*t.fcntl(77, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(*t.fcntl(a, F_GETFD), 0);
  EXPECT_ERRNO(EINVAL, t.dup3(a, a, 0));
  EXPECT_ERRNO(EINVAL, t.dup3(a, 5, O_APPEND));
  EXPECT_ERRNO(EBADF, t.dup2(99, 5));
  EXPECT_ERRNO(EBADF, t.dup2(a, -1));
  EXPECT_ERRNO(EBADF, t.dup(99));
}

TEST_F(descriptors, fcntl_duplicates_from_a_number_on) {
  const int a = open_ok(t, "/f", O_RDONLY);
  EXPECT_EQ(*t.fcntl(a, F_DUPFD, 100), 100);
  EXPECT_EQ(*t.fcntl(a, F_DUPFD_CLOEXEC, 100), 101);
  EXPECT_EQ(*t.fcntl(101, F_GETFD), FD_CLOEXEC);
  EXPECT_OK(t.fcntl(101, F_SETFD, 0));
  EXPECT_EQ(*t.fcntl(101, F_GETFD), 0);
  EXPECT_ERRNO(EINVAL, t.fcntl(a, F_DUPFD, -1));
  EXPECT_ERRNO(EINVAL, t.fcntl(a, F_DUPFD, t.limits.nofile));
  EXPECT_ERRNO(EINVAL, t.fcntl(a, 12345));
  EXPECT_ERRNO(EBADF, t.fcntl(99, F_GETFL));
}

TEST_F(descriptors, a_fork_has_the_same_open_files_in_a_table_of_its_own) {
  const int fd = open_ok(t, "/f", O_RDONLY);
  ASSERT_OK(t.mkdir("/d", 0755));
  ASSERT_OK(t.chdir("/d"));
  t.umask(077);
  task_ptr child{*k->fork_task(t, "child")};
  EXPECT_EQ(*child->getcwd(), "/d");
  EXPECT_EQ(child->umask(0), 077u);
  char byte;
  ASSERT_OK(t.read(fd, &byte, 1));
  ASSERT_OK(child->read(fd, &byte, 1));
  EXPECT_EQ(byte, '1') << "one position";
  ASSERT_OK(t.close(fd));
  EXPECT_OK(child->read(fd, &byte, 1));
  const unsigned releases = disk.releases;
  child.reset();
  EXPECT_EQ(disk.releases, releases + 1);
}

TEST_F(descriptors, a_shared_table_is_one_table) {
  task_ptr child{*k->fork_task(t, "child", true)};
  const int fd = open_ok(*child, "/f", O_RDONLY);
  char byte;
  EXPECT_OK(t.read(fd, &byte, 1));
  ASSERT_OK(t.close(fd));
  EXPECT_ERRNO(EBADF, child->read(fd, &byte, 1));
  const int left = open_ok(*child, "/f", O_RDONLY);
  child.reset();
  EXPECT_OK(t.read(left, &byte, 1)) << "the table lives as long as one who has it";
}

TEST_F(descriptors, a_file_closed_by_another_task_lives_until_the_call_is_over) {
  task_ptr child{*k->fork_task(t, "child", true)};
  const int fd = open_ok(t, "/f", O_RDONLY);
  const unsigned releases = disk.releases;
  std::atomic<unsigned> released_inside{0};
  struct in_copy {
    task* other;
    int fd;
    ram_device* disk;
    std::atomic<unsigned>* releases;
  } c{child.get(), fd, &disk, &released_inside};
  user_access access{.fault_in = nullptr,
                     .copy_in = nullptr,
                     .copy_out =
                         [](void* context, std::byte*, std::size_t, bool, move_piece, void*) {
                           auto& self = *static_cast<in_copy*>(context);
                           EXPECT_OK(self.other->close(self.fd));
                           *self.releases = self.disk->releases.load();
                           return std::size_t{0};
                         },
                     .context = &c};
  t.uaccess = &access;
  char byte;
  EXPECT_ERRNO(EFAULT, t.read(fd, &byte, 1));
  t.uaccess = nullptr;
  EXPECT_EQ(released_inside, releases) << "not while the other one reads";
  EXPECT_EQ(disk.releases, releases + 1);
}

TEST_F(descriptors, an_ending_task_closes_all) {
  auto other = make_task();
  for (int n = 0; n < 100; ++n) (void)open_ok(*other, "/f", O_RDONLY);
  const unsigned releases = disk.releases;
  other.reset();
  EXPECT_EQ(disk.releases, releases + 100);
}

}  // namespace
}  // namespace xip::vfs::test
