// Access control lists: what they allow, how mode and list go together, and what is remembered of them.
#include <sys/xattr.h>

#include <cstring>

#include <xip/base/endian.h>

#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

using entries = std::vector<posix_acl_entry>;

constexpr posix_acl_entry owner_gets(std::uint16_t perm) { return {acl_user_obj, perm}; }
constexpr posix_acl_entry user(std::uint32_t id, std::uint16_t perm) { return {acl_user, perm, id}; }
constexpr posix_acl_entry group_gets(std::uint16_t perm) { return {acl_group_obj, perm}; }
constexpr posix_acl_entry group(std::uint32_t id, std::uint16_t perm) { return {acl_group, perm, id}; }
constexpr posix_acl_entry mask(std::uint16_t perm) { return {acl_mask, perm}; }
constexpr posix_acl_entry others_get(std::uint16_t perm) { return {acl_other, perm}; }

[[nodiscard]] std::string encode(const entries& list, std::uint32_t version = 2) {
  std::string bytes;
  const auto put = [&bytes](const auto& value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); };
  put(le32{version});
  for (const posix_acl_entry& e : list) {
    put(le16{e.e_tag});
    put(le16{e.e_perm});
    put(le32{e.e_id});
  }
  return bytes;
}

class acls : public vfs_test {
 protected:
  void SetUp() override {
    second.with_acls = true;
    ASSERT_OK(t.mkdir("/m", 0755));
    ASSERT_TRUE(k->mount("ramfs", second, "/m"));
    write_file("/m/f", "f", 0640);
    ASSERT_OK(t.chown("/m/f", 1000, 1000));
    ASSERT_OK(t.mkdir("/m/d", 0755));
    owner = make_task(1000, 1000);
    friend_of = make_task(1001, 1001, {2000});
    other = make_task(1002, 1002);
  }
  // Nothing is remembered then.
  void mount_again() {
    ASSERT_OK(k->umount("/m"));
    ASSERT_TRUE(k->mount("ramfs", second, "/m"));
  }
  static result<> set(task& by, std::string_view path, std::string_view name, const entries& list, std::uint32_t version = 2) {
    const std::string value = encode(list, version);
    return by.setxattr(path, name, value.data(), value.size(), 0);
  }
  static result<> set_access(task& by, std::string_view path, const entries& list) { return set(by, path, access_name, list); }
  static result<> set_default(task& by, std::string_view path, const entries& list) { return set(by, path, default_name, list); }
  [[nodiscard]] std::string get(std::string_view path, std::string_view name) {
    char value[500];
    const auto bytes = t.getxattr(path, name, value, sizeof value);
    return bytes ? std::string{value, *bytes} : std::string{bytes.error().name()};
  }
  [[nodiscard]] unsigned mode(std::string_view path) { return t.stat(path)->mode & 07777; }

  static constexpr std::string_view access_name = "system.posix_acl_access";
  static constexpr std::string_view default_name = "system.posix_acl_default";
  const entries friendly{owner_gets(6), user(1001, 6), group_gets(4), group(2000, 2), mask(6), others_get(0)};
  task_ptr owner, friend_of, other;
};

TEST_F(acls, are_read_as_they_were_set_and_become_the_mode) {
  EXPECT_EQ(get("/m/f", access_name), "ENODATA");
  ASSERT_OK(set_access(*owner, "/m/f", friendly));
  EXPECT_EQ(get("/m/f", access_name), encode(friendly));
  EXPECT_EQ(mode("/m/f"), 0660u) << "the mask stands for the group";
  EXPECT_EQ(t.getxattr("/m/f", access_name, nullptr, 0).value_or(0), 4u + 6 * 8);
  char small[8];
  EXPECT_ERRNO(ERANGE, t.getxattr("/m/f", access_name, small, sizeof small));
  ASSERT_OK(t.removexattr("/m/f", access_name));
  EXPECT_EQ(get("/m/f", access_name), "ENODATA");
  EXPECT_EQ(mode("/m/f"), 0660u);
}

TEST_F(acls, that_say_no_more_than_a_mode_become_one) {
  ASSERT_OK(set_access(*owner, "/m/f", {owner_gets(7), group_gets(5), others_get(1)}));
  EXPECT_EQ(mode("/m/f"), 0751u);
  EXPECT_EQ(get("/m/f", access_name), "ENODATA");
}

TEST_F(acls, of_the_wrong_shape_are_refused) {
  const entries wrong[] = {
      {owner_gets(6), group_gets(4)},
      {group_gets(4), owner_gets(6), others_get(0)},
      {owner_gets(6), user(1, 4), group_gets(4), others_get(0)},
      {owner_gets(6), group(1, 4), group_gets(4), mask(4), others_get(0)},
      {owner_gets(6), user(~0u, 4), group_gets(4), mask(4), others_get(0)},
      {owner_gets(6), owner_gets(6), group_gets(4), others_get(0)},
      {owner_gets(8), group_gets(4), others_get(0)},
      {owner_gets(6), group_gets(4), others_get(0), others_get(0)},
      {owner_gets(6), group_gets(4), mask(4), mask(4), others_get(0)},
      {owner_gets(6), {0x40, 6}, group_gets(4), others_get(0)},
  };
  for (const entries& list : wrong) EXPECT_ERRNO(EINVAL, set_access(*owner, "/m/f", list)) << list.size();
  EXPECT_ERRNO(EOPNOTSUPP, set(*owner, "/m/f", access_name, friendly, 1));
  EXPECT_ERRNO(EINVAL, owner->setxattr("/m/f", access_name, "\2\0\0\0\1", 5, 0));
  EXPECT_ERRNO(EINVAL, owner->setxattr("/m/f", access_name, "\2\0", 2, 0));
  EXPECT_ERRNO(EPERM, set_access(*other, "/m/f", friendly));
  EXPECT_ERRNO(EACCES, set_default(*owner, "/m/f", friendly)) << "no directory";
  ASSERT_OK(t.symlink("f", "/m/l"));
  EXPECT_ERRNO(EOPNOTSUPP, t.lgetxattr("/m/l", access_name, nullptr, 0));
}

TEST_F(acls, decide_beside_the_mode) {
  const auto may = [](task& by, int what) { return by.faccessat(AT_FDCWD, "/m/f", what, AT_EACCESS).has_value(); };
  EXPECT_FALSE(may(*friend_of, R_OK));
  ASSERT_OK(set_access(t, "/m/f", friendly));
  EXPECT_TRUE(may(*friend_of, R_OK | W_OK));
  EXPECT_FALSE(may(*friend_of, X_OK));
  EXPECT_FALSE(may(*other, R_OK));
  const task_ptr of_group = make_task(5, 5, {2000});
  EXPECT_TRUE(may(*of_group, W_OK));
  EXPECT_FALSE(may(*of_group, R_OK)) << "in a group of the list: what others get is not for it";
  ASSERT_OK(t.chmod("/m/f", 0600));
  EXPECT_FALSE(may(*friend_of, R_OK)) << "the mask grants nothing";
  EXPECT_FALSE(may(*of_group, W_OK));
  ASSERT_OK(t.chmod("/m/f", 0604));
  EXPECT_TRUE(may(*other, R_OK));
  EXPECT_TRUE(may(*friend_of, R_OK)) << "as in Linux: a list whose mask is empty is not looked at";
}

TEST_F(acls, deny_what_the_mode_grants_to_everybody) {
  ASSERT_OK(t.chmod("/m/f", 0777));
  ASSERT_OK(set_access(t, "/m/f", {owner_gets(7), user(1001, 0), group_gets(7), mask(7), others_get(7)}));
  EXPECT_ERRNO(EACCES, friend_of->open("/m/f", O_RDONLY));
  EXPECT_OK(other->open("/m/f", O_RDWR));
  write_file("/m/d/g", "g");
  ASSERT_OK(set_access(t, "/m/d", {owner_gets(7), user(1001, 0), group_gets(7), mask(7), others_get(7)}));
  ASSERT_EQ(mode("/m/d"), 0777u);
  EXPECT_ERRNO(EACCES, friend_of->stat("/m/d/g")) << "a walk";
  EXPECT_OK(other->stat("/m/d/g"));
}

TEST_F(acls, chmod_changes_the_mask) {
  ASSERT_OK(set_access(t, "/m/f", friendly));
  ASSERT_OK(owner->chmod("/m/f", 0751));
  EXPECT_EQ(get("/m/f", access_name), encode({owner_gets(7), user(1001, 6), group_gets(4), group(2000, 2), mask(5), others_get(1)}));
}

TEST_F(acls, are_inherited) {
  const entries given{owner_gets(7), user(1001, 7), group_gets(5), mask(7), others_get(5)};
  ASSERT_OK(set_default(t, "/m/d", given));
  EXPECT_EQ(mode("/m/d"), 0755u);
  t.umask(077);  // the list takes its place
  write_file("/m/d/f", "", 0664);
  EXPECT_EQ(mode("/m/d/f"), 0664u);
  EXPECT_EQ(get("/m/d/f", access_name), encode({owner_gets(6), user(1001, 7), group_gets(5), mask(6), others_get(4)}));
  EXPECT_EQ(get("/m/d/f", default_name), "ENODATA");
  ASSERT_OK(t.mkdir("/m/d/d", 0750));
  EXPECT_EQ(get("/m/d/d", default_name), encode(given));
  EXPECT_EQ(get("/m/d/d", access_name), encode({owner_gets(7), user(1001, 7), group_gets(5), mask(5), others_get(0)}));
  ASSERT_OK(t.mknod("/m/d/p", S_IFIFO | 0666, 0));
  EXPECT_EQ(mode("/m/d/p"), 0664u);
  const auto fd = t.open("/m/d", O_TMPFILE | O_RDWR, 0666);
  ASSERT_OK(fd);
  EXPECT_EQ(t.fstat(*fd)->mode & 0777, 0664u);
  ASSERT_OK(t.symlink("f", "/m/d/l"));
  EXPECT_EQ(t.lstat("/m/d/l")->mode & 0777, 0777u);
  write_file("/m/g", "", 0666);
  EXPECT_EQ(mode("/m/g"), 0600u) << "no default list: the umask";
  ASSERT_OK(set_default(t, "/m/d", {owner_gets(7), group_gets(0), others_get(0)}));
  write_file("/m/d/plain", "", 0666);
  EXPECT_EQ(mode("/m/d/plain"), 0600u);
  EXPECT_EQ(get("/m/d/plain", access_name), "ENODATA");
}

TEST_F(acls, are_read_once) {
  ASSERT_OK(set_access(t, "/m/f", friendly));
  mount_again();
  second.acl_reads = 0;
  for (int i = 0; i < 5; ++i) EXPECT_OK(friend_of->access("/m/f", R_OK));
  EXPECT_LE(second.acl_reads, 2u) << "one of the file, one of the root";
}

TEST_F(acls, that_cannot_be_read_grant_nothing) {
  ASSERT_OK(set_access(t, "/m/f", friendly));
  mount_again();
  ASSERT_OK(other->stat("/m/f"));
  second.fail_get_acl = EIO;
  EXPECT_ERRNO(EIO, friend_of->open("/m/f", O_RDONLY));
  EXPECT_OK(owner->open("/m/f", O_RDONLY)) << "the list has nothing to say about the owner";
  second.fail_get_acl = 0;
  EXPECT_OK(friend_of->open("/m/f", O_RDONLY)) << "the failure is not remembered";
}

TEST_F(acls, a_slow_reader_brings_no_old_list_back) {
  ASSERT_OK(set_access(t, "/m/f", friendly));
  mount_again();
  ASSERT_OK(other->stat("/m/f"));
  const task_ptr changer = make_task();
  bool changed = false;
  second.in_get_acl = [&](const inode& i) {
    if (changed || i.is_dir()) return;
    changed = true;
    // Between the reader's look at the disk and at the cache.
    run_at_once({[&] { EXPECT_OK(set_access(*changer, "/m/f", {owner_gets(6), user(1001, 0), group_gets(4), mask(6), others_get(0)})); }});
  };
  (void)friend_of->access("/m/f", R_OK);
  ASSERT_TRUE(changed);
  second.in_get_acl = nullptr;
  EXPECT_ERRNO(EACCES, friend_of->access("/m/f", R_OK));
}

// Each list lets one of two users read and the other one write. Whoever asks for both at once gets them of no list.
TEST_F(acls, change_under_readers) {
  const auto let_read = [](std::uint32_t reader, std::uint32_t writer) {
    return entries{owner_gets(6),
                   user(std::min(reader, writer), reader < writer ? 4 : 2),
                   user(std::max(reader, writer), reader < writer ? 2 : 4),
                   group_gets(0),
                   mask(6),
                   others_get(0)};
  };
  ASSERT_OK(set_access(t, "/m/f", let_read(1001, 1002)));
  std::vector<task_ptr> tasks;
  std::vector<std::function<void()>> bodies;
  for (const std::uint32_t id : {1001u, 1002u}) {
    tasks.push_back(make_task(id, id));
    bodies.emplace_back([&asker = *tasks.back()] {
      for (int i = 0; i < 300; ++i) {
        for (const int one : {R_OK, W_OK}) {
          const auto answer = asker.faccessat(AT_FDCWD, "/m/f", one, AT_EACCESS);
          EXPECT_TRUE(answer || answer.error() == EACCES) << answer.error().name();
        }
        EXPECT_ERRNO(EACCES, asker.faccessat(AT_FDCWD, "/m/f", R_OK | W_OK, AT_EACCESS)) << "of two lists together";
      }
    });
  }
  bodies.emplace_back([&] {
    const task_ptr one = make_task(1001, 1001), other = make_task(1002, 1002);
    for (unsigned i = 0; i < 300; ++i) {
      const bool swapped = i % 2 == 0;
      EXPECT_OK(set_access(t, "/m/f", swapped ? let_read(1002, 1001) : let_read(1001, 1002)));
      const auto may = [](task& by, int what) { return by.faccessat(AT_FDCWD, "/m/f", what, AT_EACCESS).has_value(); };
      EXPECT_EQ(may(*one, R_OK), !swapped);
      EXPECT_EQ(may(*one, W_OK), swapped);
      EXPECT_EQ(may(*other, R_OK), swapped);
      EXPECT_EQ(may(*other, W_OK), !swapped);
    }
  });
  run_at_once(std::move(bodies));
}

// A walk that may not wait does not ask the file system for a list. Once it is known, it decides.
TEST_F(acls, are_not_read_by_a_walk_that_may_not_wait) {
  write_file("/m/d/g", "g");
  ASSERT_OK(set_access(t, "/m/d", {owner_gets(7), user(1001, 0), group_gets(7), mask(7), others_get(7)}));
  const auto cached = [](task& by) { return by.openat2(AT_FDCWD, "/m/d/g", {.flags = O_RDONLY, .resolve = RESOLVE_CACHED}); };
  mount_again();
  ASSERT_OK(t.stat("/m/d/g"));
  ASSERT_OK(other->stat("/m/f"));
  EXPECT_OK(cached(t)) << "its mode decides for the owner";
  EXPECT_ERRNO(EAGAIN, cached(*other));
  EXPECT_OK(other->open("/m/d/g", O_RDONLY));
  EXPECT_OK(cached(*other));
  EXPECT_ERRNO(EACCES, cached(*friend_of));
}

TEST(acls_off, mean_nothing) {
  counting_resource memory;
  ram_device disk;
  kernel k{{.memory = &memory}};
  ASSERT_OK(k.register_filesystem(ramfs_type()));
  ASSERT_TRUE(k.mount("ramfs", disk, "/"));
  const task_ptr t{k.make_task().value()};
  const std::string value = encode({owner_gets(7), group_gets(5), others_get(1)});
  EXPECT_ERRNO(EOPNOTSUPP, t->setxattr("/", "system.posix_acl_access", value.data(), value.size(), 0));
  EXPECT_ERRNO(EOPNOTSUPP, t->getxattr("/", "system.posix_acl_access", nullptr, 0));
}

}  // namespace
}  // namespace xip::vfs::test
