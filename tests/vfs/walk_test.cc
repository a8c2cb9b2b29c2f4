// The path walk.
#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

class path_walk : public vfs_test {
 protected:
  void SetUp() override {
    ASSERT_OK(t.mkdir("/a", 0755));
    ASSERT_OK(t.mkdir("/a/b", 0755));
    write_file("/a/f", "f");
    write_file("/a/b/g", "g");
  }
};

TEST_F(path_walk, finds_names_with_slashes_and_dots) {
  for (const char* name : {"/a/f", "//a///f", "/./a/./f", "/a/b/../f", "/a/b/../../a/f", "/../a/f", "a/f", "./a/f", "a/b/./../f"})
    EXPECT_OK(t.stat(name)) << name;
}

TEST_F(path_walk, says_what_is_wrong) {
  EXPECT_ERRNO(ENOENT, t.stat(""));
  EXPECT_ERRNO(ENOENT, t.stat("/none"));
  EXPECT_ERRNO(ENOENT, t.stat("/none/f"));
  EXPECT_ERRNO(ENOTDIR, t.stat("/a/f/x"));
  EXPECT_ERRNO(ENOTDIR, t.stat("/a/f/"));
  EXPECT_ERRNO(ENOTDIR, t.stat("/a/f/."));
  EXPECT_ERRNO(ENOTDIR, t.stat("/a/f/.."));
  EXPECT_OK(t.stat("/a/b/"));
}

TEST_F(path_walk, names_and_paths_have_a_length) {
  const std::string longest(255, 'x');
  write_file("/" + longest, "");
  EXPECT_OK(t.stat("/" + longest));
  EXPECT_ERRNO(ENAMETOOLONG, t.stat("/" + longest + "x"));
  EXPECT_ERRNO(ENAMETOOLONG, t.open("/" + longest + "x", O_CREAT | O_RDWR));
  EXPECT_ERRNO(ENAMETOOLONG, t.mkdir("/" + longest + "x", 0755));
  std::string path;
  while (path.size() + 2 <= 4095) path += "./";
  path += std::string(4095 - path.size(), '/');
  ASSERT_EQ(path.size(), 4095u);
  EXPECT_OK(t.stat(path));
  EXPECT_ERRNO(ENAMETOOLONG, t.stat(path + "/"));
}

TEST_F(path_walk, follows_symlinks_in_the_middle_and_at_the_end) {
  ASSERT_OK(t.symlink("b", "/a/rel"));
  ASSERT_OK(t.symlink("/a", "/abs"));
  ASSERT_OK(t.symlink("abs/rel/", "/both"));
  EXPECT_OK(t.stat("/both/g"));
  EXPECT_OK(t.stat("/abs/rel/../f"));
  EXPECT_TRUE(S_ISDIR(t.stat("/both")->mode));
  EXPECT_TRUE(S_ISLNK(t.lstat("/both")->mode));
  EXPECT_TRUE(S_ISDIR(t.lstat("/both/")->mode)) << "a trailing slash follows";
  EXPECT_EQ(*t.readlink("/both"), "abs/rel/");
  EXPECT_ERRNO(EINVAL, t.readlink("/a"));
}

TEST_F(path_walk, a_link_that_ends_in_a_slash_wants_a_directory) {
  ASSERT_OK(t.symlink("a/f/", "/l"));
  EXPECT_ERRNO(ENOTDIR, t.stat("/l"));
}

TEST_F(path_walk, forty_links_are_followed_and_not_one_more) {
  ASSERT_OK(t.symlink("a/f", "/l1"));
  for (int n = 2; n <= 41; ++n) ASSERT_OK(t.symlink("l" + std::to_string(n - 1), "/l" + std::to_string(n)));
  EXPECT_OK(t.stat("/l40"));
  EXPECT_ERRNO(ELOOP, t.stat("/l41"));
  EXPECT_OK(t.lstat("/l41"));
}

TEST_F(path_walk, loops_end) {
  ASSERT_OK(t.symlink("loop", "/loop"));
  ASSERT_OK(t.symlink("pong", "/ping"));
  ASSERT_OK(t.symlink("ping", "/pong"));
  for (const char* name : {"/loop", "/ping", "/loop/x"}) EXPECT_ERRNO(ELOOP, t.stat(name)) << name;
  EXPECT_ERRNO(ELOOP, t.open("/ping", O_CREAT | O_RDWR));
}

TEST_F(path_walk, search_permission_is_asked_of_each_directory) {
  auto other = make_task(1000, 1000);
  EXPECT_OK(other->stat("/a/b/g"));
  ASSERT_OK(t.chmod("/a", 0744));
  EXPECT_ERRNO(EACCES, other->stat("/a/f"));
  EXPECT_ERRNO(EACCES, other->stat("/a/b/g"));
  EXPECT_ERRNO(EACCES, other->stat("/a/none")) << "who may not search learns nothing";
  EXPECT_OK(other->stat("/a"));
  EXPECT_OK(other->open("/a", O_RDONLY));
}

TEST_F(path_walk, the_root_has_no_parent) {
  EXPECT_EQ(t.stat("/..")->ino, t.stat("/")->ino);
  EXPECT_EQ(t.stat("/../../a")->ino, t.stat("/a")->ino);
}

TEST_F(path_walk, cwd_moves_and_is_told) {
  EXPECT_EQ(*t.getcwd(), "/");
  ASSERT_OK(t.chdir("a/b"));
  EXPECT_EQ(*t.getcwd(), "/a/b");
  EXPECT_OK(t.stat("g"));
  EXPECT_OK(t.stat("../f"));
  ASSERT_OK(t.chdir(".."));
  EXPECT_EQ(*t.getcwd(), "/a");
  const int fd = open_ok(t, "/a/b", O_RDONLY);
  ASSERT_OK(t.fchdir(fd));
  EXPECT_EQ(*t.getcwd(), "/a/b");
  EXPECT_ERRNO(ENOTDIR, t.chdir("g"));
  EXPECT_ERRNO(ENOENT, t.chdir("none"));
  const int file = open_ok(t, "g", O_RDONLY);
  EXPECT_ERRNO(ENOTDIR, t.fchdir(file));
  EXPECT_ERRNO(EBADF, t.fchdir(99));
}

TEST_F(path_walk, a_removed_cwd_is_empty_for_good) {
  ASSERT_OK(t.mkdir("/gone", 0755));
  ASSERT_OK(t.chdir("/gone"));
  EXPECT_ERRNO(ENOENT, t.stat("x")) << "a cached name that is not there";
  auto other = make_task();
  ASSERT_OK(other->rmdir("/gone"));
  EXPECT_ERRNO(ENOENT, t.getcwd());
  EXPECT_ERRNO(ENOENT, t.stat("x"));
  EXPECT_ERRNO(ENOENT, t.stat("y"));
  EXPECT_ERRNO(ENOENT, t.open("y", O_CREAT | O_RDWR));
  EXPECT_ERRNO(ENOENT, t.mkdir("y", 0755));
  EXPECT_EQ(t.stat(".")->nlink, 0u);
  EXPECT_OK(t.stat("..")) << "its parent is still there";
  EXPECT_EQ(disk.deletions, 0u);
  ASSERT_OK(t.chdir("/"));
  EXPECT_EQ(disk.deletions, 1u);
}

TEST_F(path_walk, rmdir_while_a_child_name_is_cached_negative) {
  ASSERT_OK(t.mkdir("/d", 0755));
  for (int n = 0; n < 20; ++n) EXPECT_ERRNO(ENOENT, t.stat("/d/" + std::to_string(n)));
  EXPECT_OK(t.rmdir("/d"));
  EXPECT_EQ(disk.deletions, 1u) << "what is known not to exist keeps nothing alive";
}

TEST_F(path_walk, embedded_nul_is_no_path) { EXPECT_ERRNO(EINVAL, t.stat(std::string_view{"/a\0b", 4})); }

TEST_F(path_walk, a_directory_with_two_names_is_corruption) {
  k->drop_caches();
  const auto a = static_cast<std::uint32_t>(t.stat("/a")->ino);
  ram_node& b = disk.nodes.at(static_cast<std::uint32_t>(t.stat("/a/b")->ino));
  b.entries[b.next_cookie] = {"up", a};
  b.names["up"] = b.next_cookie++;
  EXPECT_ERRNO(EUCLEAN, t.stat("/a/b/up"));
  EXPECT_OK(t.stat("/a/b/g"));
}

}  // namespace
}  // namespace xip::vfs::test
