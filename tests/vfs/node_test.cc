// Nodes: places that are held without a descriptor, and what every *at() call does with them.
#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

class nodes : public vfs_test {
 protected:
  void SetUp() override {
    ASSERT_OK(t.mkdir("/d", 0755));
    write_file("/d/f", "text");
    dir = *t.lookup_node(AT_FDCWD, "/d", 0);
    file = *t.lookup_node(dir, "f", 0);
  }
  void TearDown() override {
    dir.reset();
    file.reset();
  }
  node dir, file;
};

TEST_F(nodes, stand_where_a_descriptor_stands) {
  EXPECT_OK(t.mkdirat(dir, "e", 0755));
  EXPECT_OK(t.symlinkat("f", dir, "l"));
  EXPECT_EQ(*t.readlinkat(dir, "l"), "f");
  EXPECT_OK(t.mknodat(dir, "p", S_IFIFO | 0600, 0));
  EXPECT_OK(t.linkat(dir, "f", dir, "g", 0));
  EXPECT_OK(t.renameat2(dir, "g", dir, "h", 0));
  EXPECT_OK(t.unlinkat(dir, "h", 0));
  EXPECT_OK(t.unlinkat(dir, "e", AT_REMOVEDIR));
  EXPECT_OK(t.faccessat(dir, "f", R_OK, 0));
  EXPECT_ERRNO(ENOTDIR, t.mkdirat(file, "e", 0755));
  EXPECT_OK(t.fstatfs(dir));
}

TEST_F(nodes, are_meant_by_an_empty_path) {
  EXPECT_EQ(t.statx(file, "", AT_EMPTY_PATH, 0)->size, 4);
  EXPECT_OK(t.fchmodat(file, "", 0600, AT_EMPTY_PATH));
  EXPECT_OK(t.fchownat(file, "", 7, 8, AT_EMPTY_PATH));
  const timespec64 times[2] = {{1, 0}, {2, 0}};
  EXPECT_OK(t.utimensat(file, "", times, AT_EMPTY_PATH));
  EXPECT_OK(t.truncateat(file, "", 2, AT_EMPTY_PATH));
  EXPECT_OK(t.linkat(file, "", dir, "again", AT_EMPTY_PATH));
  const auto stat = *t.stat("/d/again");
  EXPECT_EQ(stat.mode & 07777, 0600u);
  EXPECT_EQ(stat.uid, 7u);
  EXPECT_EQ(stat.size, 2);
  EXPECT_ERRNO(ENOENT, t.statx(file, "", 0, 0));
}

TEST_F(nodes, are_opened_anew_with_all_checks) {
  const int fd = *t.openat(file, "", O_RDONLY);
  char byte;
  EXPECT_OK(t.read(fd, &byte, 1));
  EXPECT_ERRNO(EISDIR, t.openat(dir, "", O_RDWR));
  const auto other = make_task(1, 1);
  EXPECT_ERRNO(EACCES, other->openat(file, "", O_RDWR));
  EXPECT_ERRNO(ENOENT, t.openat(AT_FDCWD, "", O_RDONLY)) << "only of a node";
}

TEST_F(nodes, come_from_open_files_too) {
  const int fd = open_ok(t, "/d/new", O_CREAT | O_RDWR);
  node made = *t.node_of(fd);
  EXPECT_EQ(made.get_inode().i_ino.value(), t.fstat(fd)->ino);
  ASSERT_OK(t.close(fd));
  ASSERT_OK(t.unlink("/d/new"));
  EXPECT_EQ(t.statx(made, "", AT_EMPTY_PATH, 0)->nlink, 0u) << "unlinked, and still there";
  const unsigned deletions = disk.deletions;
  made.reset();
  EXPECT_EQ(disk.deletions, deletions + 1);
  EXPECT_ERRNO(EBADF, t.node_of(99));
}

TEST_F(nodes, follow_symlinks_unless_told_not_to) {
  ASSERT_OK(t.symlink("/d/f", "/l"));
  EXPECT_EQ(&t.lookup_node(AT_FDCWD, "/l", 0)->get_inode(), &file.get_inode());
  const node link = *t.lookup_node(AT_FDCWD, "/l", AT_SYMLINK_NOFOLLOW);
  EXPECT_EQ(*t.readlinkat(link, ""), "/d/f");
  EXPECT_ERRNO(EINVAL, t.lookup_node(AT_FDCWD, "/l", 1));
}

TEST_F(nodes, keep_the_mount_busy_and_outlive_their_task) {
  ASSERT_OK(t.mkdir("/m", 0755));
  ASSERT_OK(k->mount("ramfs", second, "/m"));
  auto short_lived = make_task();
  node inside = *short_lived->lookup_node(AT_FDCWD, "/m", 0);
  short_lived.reset();
  EXPECT_ERRNO(EBUSY, k->umount("/m"));
  node moved = std::move(inside);
  EXPECT_FALSE(inside);  // NOLINT: that is what is tested
  moved.reset();
  EXPECT_OK(k->umount("/m"));
}

// ---- openat2 and mounts: what a single file system cannot show

TEST_F(nodes, a_limited_walk_stays_on_its_mount) {
  ASSERT_OK(t.mkdir("/m", 0755));
  ASSERT_OK(k->mount("ramfs", second, "/m"));
  ASSERT_OK(t.symlink("/m/g", "/l"));
  write_file("/m/g", "");
  const open_how how{O_RDONLY, 0, RESOLVE_NO_XDEV};
  EXPECT_ERRNO(EXDEV, t.openat2(AT_FDCWD, "/m", how));
  EXPECT_ERRNO(EXDEV, t.openat2(AT_FDCWD, "/m/g", how));
  EXPECT_ERRNO(EXDEV, t.openat2(AT_FDCWD, "/l", how));
  {
    const node inside = *t.lookup_node(AT_FDCWD, "/m", 0);
    EXPECT_OK(t.openat2(inside, "g", how));
    EXPECT_ERRNO(EXDEV, t.openat2(inside, "..", how));
    EXPECT_OK(t.openat2(inside, "..", {O_RDONLY, 0, RESOLVE_IN_ROOT}));
    EXPECT_ERRNO(EXDEV, t.openat2(inside, "..", {O_RDONLY, 0, RESOLVE_BENEATH}));
  }
  EXPECT_ERRNO(EXDEV, t.openat2(AT_FDCWD, "/m/new", {O_CREAT | O_RDWR, 0644, RESOLVE_NO_XDEV}));
}

// Something is mounted on the root of a walk that is limited to it: ".." from there leads to what is covered, not past it.
TEST_F(nodes, a_limited_walk_does_not_leave_by_a_mount_on_its_root) {
  ASSERT_OK(t.mkdir("/m", 0755));
  ASSERT_OK(t.mkdir("/m/sub", 0755));
  const int below = open_ok(t, "/m", O_RDONLY | O_DIRECTORY);
  write_file("/secret", "");
  ASSERT_OK(k->mount("ramfs", second, "/m"));
  EXPECT_OK(t.openat2(below, "sub/../..", {O_RDONLY, 0, RESOLVE_IN_ROOT}));
  EXPECT_ERRNO(ENOENT, t.openat2(below, "sub/../../secret", {O_RDONLY, 0, RESOLVE_IN_ROOT}));
  EXPECT_ERRNO(EXDEV, t.openat2(below, "sub/../../secret", {O_RDONLY, 0, RESOLVE_BENEATH}));
}

TEST_F(nodes, an_empty_one_is_no_place) {
  const node nowhere;
  EXPECT_ERRNO(EBADF, t.openat(nowhere, "x", O_RDONLY));
  EXPECT_ERRNO(EBADF, t.mkdirat(nowhere, "x", 0755));
}

// A directory that is carried out of its root meanwhile leads out by "..": that must not be followed.
TEST_F(nodes, a_scoped_walk_notices_that_it_was_moved) {
  for (const char* name : {"/d/p", "/d/p/e", "/d/p/e/x", "/outside"}) ASSERT_OK(t.mkdir(name, 0755));
  const std::uint64_t e = t.stat("/d/p/e")->ino;
  k->drop_caches();
  const auto mover = make_task();
  bool moved = false;
  disk.in_lookup = [&](inode& where) {
    if (where.i_ino.value() != e || std::exchange(moved, true)) return;
    EXPECT_OK(mover->rename("/d/p", "/outside/p"));
  };
  EXPECT_ERRNO(EAGAIN, t.openat2(dir, "p/e/x/../../..", {O_RDONLY, 0, RESOLVE_IN_ROOT}));
  EXPECT_TRUE(moved);
  disk.in_lookup = nullptr;
  ASSERT_OK(mover->rename("/outside/p", "/d/p"));
  EXPECT_OK(t.openat2(dir, "p/e/x/../../..", {O_RDONLY, 0, RESOLVE_IN_ROOT}));
}

}  // namespace
}  // namespace xip::vfs::test
