// Access control lists on the medium: kept, inherited, changed with the mode, and refused where they make no sense.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/attributes.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/tree.h"

namespace xip::ext4lite::test {
namespace {

[[nodiscard]] vfs::task_ptr task_of(mounted& fs, std::uint32_t uid) {
  return vfs::task_ptr{*fs.kernel().make_task({.uid = uid, .gid = uid})};
}

TEST(access_lists, are_kept_and_decide) {
  const image disk = make_image();
  const std::string acl = acl_for_user(1000, 6, 6, 4, 6, 0);
  {
    mounted fs{disk};
    write_file(fs.task(), "/f", "f");
    ASSERT_EQ(set_xattr(fs.task(), "/f", acl_access_name, acl), 0);
    EXPECT_EQ(fs.task().stat("/f")->mode & 0777, 0660u);
    fs.umount_and_check(disk);
  }
  mounted fs{disk};
  EXPECT_EQ(fs.task().stat("/f")->mode & 0777, 0660u);
  EXPECT_EQ(get_xattr(fs.task(), "/f", acl_access_name), acl);
  EXPECT_TRUE(task_of(fs, 1000)->access("/f", R_OK | W_OK));
  EXPECT_EQ(errno_of(task_of(fs, 1001)->access("/f", R_OK)), EACCES);
  ASSERT_TRUE(fs.task().chmod("/f", 0640));
  EXPECT_EQ(get_xattr(fs.task(), "/f", acl_access_name), acl_for_user(1000, 6, 6, 4, 4, 0));
  EXPECT_EQ(errno_of(task_of(fs, 1000)->access("/f", W_OK)), EACCES);
  fs.umount_and_check(disk);
  mounted again{disk};
  EXPECT_EQ(get_xattr(again.task(), "/f", acl_access_name), acl_for_user(1000, 6, 6, 4, 4, 0)) << "mask and mode went together";
}

TEST(default_lists, are_inherited_by_all_that_is_made) {
  const image disk = make_image("-b 1024");
  const std::string given = acl_for_user(1000, 7, 7, 5, 7, 5);
  const std::string file = acl_for_user(1000, 6, 7, 5, 6, 4);
  {
    mounted fs{disk};
    vfs::task& t = fs.task();
    ASSERT_TRUE(t.mkdir("/d", 0755));
    ASSERT_EQ(set_xattr(t, "/d", acl_default_name, given), 0);
    t.umask(077);
    write_file(t, "/d/f", "f");
    const auto made = t.open("/d/g", O_CREAT | O_WRONLY, 0666);
    ASSERT_TRUE(made);
    ASSERT_TRUE(t.close(*made));
    ASSERT_TRUE(t.mkdir("/d/d", 0777));
    ASSERT_TRUE(t.mknod("/d/p", S_IFIFO | 0666, 0));
    ASSERT_TRUE(t.symlink("f", "/d/l"));
    const auto fd = t.open("/d", O_TMPFILE | O_WRONLY, 0666);
    ASSERT_TRUE(fd);
    ASSERT_TRUE(t.linkat(*fd, "", AT_FDCWD, "/d/t", AT_EMPTY_PATH));
    ASSERT_TRUE(t.close(*fd));
    ASSERT_TRUE(t.mkdir("/d/d/deeper", 0700));
    fs.umount_and_check(disk);
  }
  mounted fs{disk};
  vfs::task& t = fs.task();
  for (const char* path : {"/d/g", "/d/p", "/d/t"}) {
    EXPECT_EQ(xattrs_of(t, path), (xattr_map{{std::string{acl_access_name}, file}})) << path;
    EXPECT_EQ(t.stat(path)->mode & 0777, 0664u) << path;
  }
  EXPECT_EQ(get_xattr(t, "/d/d", acl_default_name), given);
  EXPECT_EQ(get_xattr(t, "/d/d", acl_access_name), given);
  EXPECT_EQ(get_xattr(t, "/d/d/deeper", acl_access_name), acl_for_user(1000, 7, 7, 5, 0, 0));
  EXPECT_EQ(xattr_names(t, "/d/l"), std::vector<std::string>{});
  EXPECT_EQ(t.lstat("/d/l")->mode & 0777, 0777u);
}

// So long that they have a block, which all that inherit share.
TEST(default_lists, that_are_long_share_a_block) {
  const image disk = make_image("-b 1024");
  std::vector<vfs::posix_acl_entry> entries{{vfs::acl_user_obj, 7}};
  for (std::uint32_t id = 1; id <= 30; ++id) entries.push_back({vfs::acl_user, 7, id});
  for (const vfs::posix_acl_entry& e : {vfs::posix_acl_entry{vfs::acl_group_obj, 7}, {vfs::acl_mask, 7}, {vfs::acl_other, 7}})
    entries.push_back(e);
  const std::string given = acl_value(entries);
  mounted fs{disk};
  vfs::task& t = fs.task();
  ASSERT_TRUE(t.mkdir("/d", 0755));
  ASSERT_EQ(set_xattr(t, "/d", acl_default_name, given), 0);
  const auto before = t.statfs("/")->bfree;
  for (int i = 0; i < 20; ++i) {
    const auto fd = t.open(fmt::format("/d/{}", i), O_CREAT | O_WRONLY, 0777);
    ASSERT_TRUE(fd);
    ASSERT_TRUE(t.close(*fd));
    EXPECT_EQ(get_xattr(t, fmt::format("/d/{}", i), acl_access_name), given);
  }
  EXPECT_EQ(t.statfs("/")->bfree, before - 1);
  fs.umount_and_check(disk);
}

TEST(lists_on_the_medium, that_make_no_sense_are_said) {
  struct bad {
    const char* says;
    std::vector<std::uint16_t> words;
  };
  const bad all[] = {{"has version 2, not 1", {2, 0}},
                     {"has 2 bytes", {1}},
                     {"ends within the entry", {1, 0, 1, 6, 4, 4, 0x20}},
                     {"ends within the entry", {1, 0, 1, 6, 2, 6}},
                     {"out of order, missing or unknown", {1, 0, 1, 6, 4, 4}},
                     {"out of order, missing or unknown", {1, 0, 1, 6, 4, 4, 0x40, 4}},
                     {"out of order, missing or unknown", {1, 0, 4, 4, 1, 6, 0x20, 4}}};
  for (const bad& b : all) {
    const image disk = make_image("-b 1024 -O ^metadata_csum");
    {
      mounted fs{disk};
      write_file(fs.task(), "/f", "f");
      // As an attribute of another kind, which is renamed on the medium.
      const std::string value{reinterpret_cast<const char*>(b.words.data()), b.words.size() * 2};
      ASSERT_EQ(set_xattr(fs.task(), "/f", "trusted.a", value), 0);
      fs.umount_and_check(disk);
    }
    const std::string where = debugfs(disk.path(), "imap /f");
    const std::uint64_t entry = std::stoull(where.substr(where.find("at block ") + 9)) * 1024 +
                                std::stoull(where.substr(where.find("offset ") + 7), nullptr, 16) + 160 + 4;
    disk.poke_value(entry, std::uint8_t{0});
    disk.poke_value(entry + 1, xattr_index_posix_acl_access);
    // Without its name the entry ends where the name stood.
    disk.poke_value(entry + 16, le32{0});
    mounted fs{disk, "errors=continue"};
    EXPECT_EQ(get_xattr(fs.task(), "/f", acl_access_name), "EUCLEAN");
    EXPECT_NE(fs.log().find(b.says), std::string::npos) << fs.log();
    EXPECT_EQ(errno_of(task_of(fs, 1000)->open("/f", O_RDONLY)), EUCLEAN);
    EXPECT_EQ(read_file(fs.task(), "/f"), "f") << "its owner";
  }
}

}  // namespace
}  // namespace xip::ext4lite::test
