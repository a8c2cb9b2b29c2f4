// Extended attributes: who may, what sizes and flags mean, and what takes a file's capabilities away.
#include <linux/capability.h>
#include <sys/xattr.h>

#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

class xattrs : public vfs_test {
 protected:
  void SetUp() override {
    write_file("/f", "f");
    ASSERT_OK(t.chown("/f", 1000, 1000));
    ASSERT_OK(t.mkdir("/d", 0777));
    ASSERT_OK(t.chmod("/d", 0777));
    ASSERT_OK(t.symlink("f", "/l"));
    owner = make_task(1000, 1000);
    other = make_task(1001, 1001);
  }
  static result<> set(task& by, std::string_view path, std::string_view name, std::string_view value, int flags = 0) {
    return by.setxattr(path, name, value.data(), value.size(), flags);
  }
  static std::string get(task& by, std::string_view path, std::string_view name) {
    char value[100];
    const auto bytes = by.getxattr(path, name, value, sizeof value);
    return bytes ? std::string{value, *bytes} : std::string{bytes.error().name()};
  }
  static std::string list(task& by, std::string_view path) {
    char names[200];
    const auto bytes = by.listxattr(path, names, sizeof names);
    if (!bytes) return std::string{bytes.error().name()};
    std::string text{names, *bytes};
    std::ranges::replace(text, '\0', ' ');
    return text;
  }
  // What a program's capabilities look like.
  static std::string capability() {
    std::string value(XATTR_CAPS_SZ_2, '\0');
    value[3] = 2;  // VFS_CAP_REVISION_2
    return value;
  }
  task_ptr owner, other;
};

TEST_F(xattrs, are_set_read_listed_and_removed) {
  EXPECT_OK(set(*owner, "/f", "user.colour", "red"));
  EXPECT_OK(set(*owner, "/f", "user.size", ""));
  EXPECT_EQ(get(*owner, "/f", "user.colour"), "red");
  EXPECT_EQ(get(*other, "/f", "user.size"), "");
  EXPECT_EQ(list(*owner, "/f"), "user.colour user.size ");
  EXPECT_OK(owner->removexattr("/f", "user.colour"));
  EXPECT_EQ(get(*owner, "/f", "user.colour"), "ENODATA");
  EXPECT_ERRNO(ENODATA, owner->removexattr("/f", "user.colour"));
}

TEST_F(xattrs, create_and_replace) {
  EXPECT_ERRNO(ENODATA, set(t, "/f", "user.a", "1", XATTR_REPLACE));
  EXPECT_OK(set(t, "/f", "user.a", "1", XATTR_CREATE));
  EXPECT_ERRNO(EEXIST, set(t, "/f", "user.a", "2", XATTR_CREATE));
  EXPECT_OK(set(t, "/f", "user.a", "3", XATTR_REPLACE));
  EXPECT_EQ(get(t, "/f", "user.a"), "3");
  EXPECT_ERRNO(EINVAL, set(t, "/f", "user.a", "4", 4));
}

TEST_F(xattrs, sizes) {
  ASSERT_OK(set(t, "/f", "user.a", "12345"));
  char value[8];
  EXPECT_EQ(t.getxattr("/f", "user.a", nullptr, 0).value_or(0), 5u);
  EXPECT_ERRNO(ERANGE, t.getxattr("/f", "user.a", value, 4));
  EXPECT_EQ(t.listxattr("/f", nullptr, 0).value_or(0), 7u);
  EXPECT_ERRNO(ERANGE, t.listxattr("/f", value, 6));
  const std::string long_name = "user." + std::string(250, 'n');
  EXPECT_OK(set(t, "/f", long_name, "v"));
  EXPECT_ERRNO(ERANGE, set(t, "/f", long_name + "n", "v"));
  EXPECT_ERRNO(ERANGE, set(t, "/f", "", "v"));
  const std::string big(65537, 'b');
  EXPECT_ERRNO(E2BIG, t.setxattr("/f", "user.b", big.data(), big.size(), 0));
}

TEST_F(xattrs, of_a_descriptor_a_node_and_a_symlink) {
  const int fd = open_ok(t, "/f", O_RDONLY);
  EXPECT_OK(t.fsetxattr(fd, "user.a", "1", 1, 0));
  EXPECT_EQ(t.fgetxattr(fd, "user.a", nullptr, 0).value_or(0), 1u);
  EXPECT_EQ(t.flistxattr(fd, nullptr, 0).value_or(0), 7u);
  const node n = t.node_of(fd).value();
  EXPECT_OK(t.setxattrat(n, "", AT_EMPTY_PATH, "user.b", "22", 2, 0));
  EXPECT_EQ(t.getxattrat(n, "", AT_EMPTY_PATH, "user.b", nullptr, 0).value_or(0), 2u);
  EXPECT_EQ(t.listxattrat(n, "", AT_EMPTY_PATH, nullptr, 0).value_or(0), 14u);
  EXPECT_OK(t.removexattrat(n, "", AT_EMPTY_PATH, "user.b"));
  EXPECT_OK(t.fremovexattr(fd, "user.a"));
  EXPECT_ERRNO(EINVAL, t.setxattrat(n, "", 1, "user.b", "22", 2, 0));
  const int place = open_ok(t, "/f", O_PATH);
  EXPECT_ERRNO(EBADF, t.fsetxattr(place, "user.a", "1", 1, 0));
  EXPECT_ERRNO(EBADF, t.fgetxattr(place, "user.a", nullptr, 0));
  EXPECT_ERRNO(EBADF, t.getxattrat(place, "", AT_EMPTY_PATH, "user.a", nullptr, 0));
  EXPECT_OK(t.lsetxattr("/l", "trusted.a", "link", 4, 0));
  EXPECT_EQ(t.lgetxattr("/l", "trusted.a", nullptr, 0).value_or(0), 4u);
  EXPECT_EQ(t.llistxattr("/l", nullptr, 0).value_or(0), 10u);
  EXPECT_ERRNO(ENODATA, t.getxattr("/l", "trusted.a", nullptr, 0)) << "that asks the file";
  EXPECT_OK(t.lremovexattr("/l", "trusted.a"));
}

TEST_F(xattrs, of_users_need_permission) {
  ASSERT_OK(t.chmod("/f", 0640));
  ASSERT_OK(set(*owner, "/f", "user.a", "1"));
  EXPECT_ERRNO(EACCES, set(*other, "/f", "user.a", "1"));
  EXPECT_EQ(get(*other, "/f", "user.a"), "EACCES");
  EXPECT_ERRNO(EPERM, t.lsetxattr("/l", "user.a", "1", 1, 0)) << "only files and directories";
  EXPECT_ERRNO(ENODATA, t.lgetxattr("/l", "user.a", nullptr, 0));
  EXPECT_OK(set(*other, "/d", "user.a", "1"));
  ASSERT_OK(t.chmod("/d", 01777));
  EXPECT_ERRNO(EPERM, set(*other, "/d", "user.a", "2")) << "a sticky directory of another";
  EXPECT_EQ(get(*other, "/d", "user.a"), "1");
}

TEST_F(xattrs, trusted_ones_are_the_administrators) {
  ASSERT_OK(set(t, "/f", "trusted.a", "1"));
  ASSERT_OK(set(t, "/f", "user.z", "1"));
  EXPECT_ERRNO(EPERM, set(*owner, "/f", "trusted.a", "2"));
  EXPECT_EQ(get(*owner, "/f", "trusted.a"), "ENODATA");
  EXPECT_EQ(list(*owner, "/f"), "user.z ");
  EXPECT_EQ(list(t, "/f"), "trusted.a user.z ");
}

TEST_F(xattrs, labels_and_capabilities_need_capabilities) {
  EXPECT_ERRNO(EPERM, set(*owner, "/f", "security.label", "1"));
  EXPECT_OK(set(t, "/f", "security.label", "1"));
  EXPECT_EQ(get(*other, "/f", "security.label"), "1");
  EXPECT_ERRNO(EPERM, set(*owner, "/f", "security.capability", capability()));
  EXPECT_ERRNO(EINVAL, set(t, "/f", "security.capability", "short"));
  std::string flagged = capability();
  flagged[1] = 1;  // no flag that is known
  EXPECT_ERRNO(EINVAL, set(t, "/f", "security.capability", flagged));
  const std::string of_a_root = std::string{"\1\0\0\3", 4} + std::string(16, '\0');
  EXPECT_ERRNO(EINVAL, set(t, "/f", "security.capability", of_a_root + std::string(4, '\xff'))) << "nobody's";
  EXPECT_ERRNO(EPERM, set(*owner, "/f", "security.capability", of_a_root + std::string(4, '\xff')));
  EXPECT_OK(set(t, "/f", "security.capability", of_a_root + std::string{"\xff\xff\xff\x7f"}));
  EXPECT_OK(set(t, "/f", "security.capability", capability()));
  EXPECT_ERRNO(EPERM, owner->removexattr("/f", "security.capability"));
  EXPECT_OK(t.removexattr("/f", "security.capability"));
}

TEST_F(xattrs, a_change_of_the_file_takes_its_capabilities) {
  const int fd = open_ok(t, "/f", O_WRONLY);
  const auto has = [&] { return get(t, "/f", "security.capability") != "ENODATA"; };
  ASSERT_OK(t.write(fd, "0", 1));  // now it is known that it has none
  ASSERT_OK(set(t, "/f", "security.capability", capability()));
  ASSERT_OK(t.write(fd, "1", 1));
  EXPECT_FALSE(has()) << "a write, even of root's";
  ASSERT_OK(set(t, "/f", "security.capability", capability()));
  ASSERT_OK(t.chmod("/f", 0755));
  EXPECT_TRUE(has());
  ASSERT_OK(t.chown("/f", 1000, 1000));
  EXPECT_FALSE(has()) << "chown";
  ASSERT_OK(set(t, "/f", "security.capability", capability()));
  ASSERT_OK(t.truncate("/f", 1));
  EXPECT_FALSE(has()) << "truncate";
}

TEST_F(xattrs, stay_where_nothing_may_change) {
  ASSERT_TRUE(k->mount("ramfs", second, "/d"));
  write_file("/d/f", "f");
  ASSERT_OK(set(t, "/d/f", "user.a", "1"));
  const auto ino = static_cast<std::uint32_t>(t.stat("/d/f")->ino);
  for (const std::uint32_t flag : {s_immutable, s_append}) {
    ASSERT_OK(k->umount("/d"));
    second.nodes.at(ino).flags = flag;
    ASSERT_TRUE(k->mount("ramfs", second, "/d"));
    EXPECT_ERRNO(EPERM, set(t, "/d/f", "user.a", "2"));
    EXPECT_ERRNO(EPERM, set(t, "/d/f", "trusted.a", "2"));
    EXPECT_ERRNO(EPERM, t.removexattr("/d/f", "user.a"));
    EXPECT_EQ(get(t, "/d/f", "user.a"), "1");
  }
  ASSERT_TRUE(k->remount("/d", "ro"));
  EXPECT_ERRNO(EROFS, set(t, "/d", "user.a", "2"));
  EXPECT_ERRNO(EROFS, t.removexattr("/d", "user.a"));
}

TEST_F(xattrs, go_through_the_tasks_own_memory) {
  struct bad_memory {
    static std::size_t none(void*, const std::byte*, std::size_t, bool) { return 0; }
    static std::size_t no_copy_in(void*, const std::byte*, std::size_t, bool, move_piece, void*) { return 0; }
    static std::size_t no_copy_out(void*, std::byte*, std::size_t, bool, move_piece, void*) { return 0; }
  };
  const user_access bad{bad_memory::none, bad_memory::no_copy_in, bad_memory::no_copy_out, nullptr};
  ASSERT_OK(set(t, "/f", "user.a", "1"));
  char value[10];
  t.uaccess = &bad;
  EXPECT_ERRNO(EFAULT, set(t, "/f", "user.a", "2"));
  EXPECT_ERRNO(EFAULT, t.getxattr("/f", "user.a", value, sizeof value));
  EXPECT_ERRNO(EFAULT, t.listxattr("/f", value, sizeof value));
  t.uaccess = nullptr;
  EXPECT_EQ(get(t, "/f", "user.a"), "1");
}

TEST_F(xattrs, are_not_for_every_file_system) {
  second.without_optional_hooks = true;
  ASSERT_TRUE(k->mount("ramfs", second, "/d"));
  EXPECT_ERRNO(EOPNOTSUPP, set(t, "/d", "user.a", "1"));
  EXPECT_EQ(get(t, "/d", "user.a"), "EOPNOTSUPP");
  EXPECT_EQ(list(t, "/d"), "");
  EXPECT_ERRNO(EOPNOTSUPP, t.removexattr("/d", "user.a"));
}

}  // namespace
}  // namespace xip::vfs::test
