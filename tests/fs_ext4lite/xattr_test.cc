// Attributes: where they lie, blocks that are shared, what is wrong with an image's, and what is freed when an inode goes.
#include <random>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/attributes.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/tree.h"
#include "fs_ext4lite/xattr_area.h"
#include "vfs/dcache.h"

namespace xip::ext4lite::test {
namespace {

// Two files, each with an attribute too long for the inode.
struct attributes : testing::Test {
  image disk = make_image("-b 4096 -I 256");

  attributes() {
    {
      mounted fs{disk};
      write_file(fs.task(), "/a", "a");
      write_file(fs.task(), "/b", "b");
      fs.umount_and_check(disk);
    }
    for (const char* file : {"/a", "/b"}) debugfs(disk.path(), fmt::format("ea_set {} user.long {}", file, std::string(500, 'v')), true);
  }
  [[nodiscard]] std::uint64_t block_of(const char* file) const {
    const std::string output = debugfs(disk.path(), fmt::format("stat {}", file));
    return std::stoull(output.substr(output.find("File ACL: ") + 10));
  }
};

TEST_F(attributes, of_a_single_file_go_with_it) {
  ASSERT_NE(block_of("/a"), 0u);
  std::string said;
  ASSERT_TRUE(e2fsck_clean(disk.path(), &said)) << said;
  mounted fs{disk};
  const auto before = fs.task().statfs("/")->bfree;
  ASSERT_TRUE(fs.task().unlink("/a"));
  EXPECT_EQ(fs.task().statfs("/")->bfree, before + 2);
  fs.umount_and_check(disk);
}

TEST(shared_attributes, lose_one_share_at_a_time) {
  // Without checksums the count can be set by hand.
  const image disk = make_image("-b 4096 -I 256 -O ^metadata_csum");
  {
    mounted fs{disk};
    write_file(fs.task(), "/a", "a");
    write_file(fs.task(), "/b", "b");
    fs.umount_and_check(disk);
  }
  debugfs(disk.path(), "ea_set /a user.long " + std::string(500, 'v'), true);
  const std::string output = debugfs(disk.path(), "stat /a");
  const std::uint64_t block = std::stoull(output.substr(output.find("File ACL: ") + 10));
  debugfs(disk.path(), fmt::format("set_inode_field /b file_acl {}", block), true);
  debugfs(disk.path(), "set_inode_field /b blocks 16", true);
  disk.poke_value(block * 4096 + 4, le32{2});
  std::string said;
  ASSERT_TRUE(e2fsck_clean(disk.path(), &said)) << said;
  {
    mounted fs{disk};
    ASSERT_TRUE(fs.task().unlink("/a"));
    fs.umount_and_check(disk);
    EXPECT_EQ(disk.peek_value<le32>(block * 4096 + 4), 1u);
  }
  mounted fs{disk};
  const auto before = fs.task().statfs("/")->bfree;
  ASSERT_TRUE(fs.task().unlink("/b"));
  EXPECT_EQ(fs.task().statfs("/")->bfree, before + 2);
  fs.umount_and_check(disk);
}

TEST_F(attributes, that_make_no_sense_keep_the_inode_for_e2fsck) {
  const std::uint64_t block = block_of("/a") * 4096;
  const auto whole = disk.bytes(block, 4096);
  for (const std::uint32_t offset : {0u, 4u, 8u, 100u}) {  // magic, count, blocks, and the checksum of the rest
    disk.poke_value(block + offset, le32{0xFFFFFFFF});
    mounted fs{disk};
    ASSERT_TRUE(fs.task().unlink("/a"));
    EXPECT_NE(fs.log().find(fmt::format("attribute block {}", block / 4096)), std::string::npos) << offset << fs.log();
    disk.poke(block, whole);
  }
}

TEST_F(attributes, outside_the_file_system_are_refused) {
  debugfs(disk.path(), "set_inode_field /a file_acl 0xffffff", true);
  mounted fs{disk};
  EXPECT_EQ(errno_of(fs.task().stat("/a")), EUCLEAN);
}

// ---- changing them ------------------------------------------------------------------------------------------------------------------------

[[nodiscard]] std::uint64_t file_acl(const image& disk, const std::string& file) {
  const std::string output = debugfs(disk.path(), "stat " + file);
  return std::stoull(output.substr(output.find("File ACL: ") + 10));
}
[[nodiscard]] std::uint32_t shares(const image& disk, std::uint64_t block, std::uint64_t block_size = 4096) {
  return disk.peek_value<le32>(block * block_size + 4);
}

// What changes from now on has another time than WHEN.
void wait_for_tick_after(const vfs::timespec64& when) {
  while (vfs::current_time() == when) {
  }
}

class changed_attributes : public testing::TestWithParam<const char*> {
 protected:
  image disk = make_image(GetParam());
};

TEST_P(changed_attributes, lie_in_the_inode_first_then_in_a_block) {
  const std::string long_value = pattern(600);
  {
    mounted fs{disk};
    write_file(fs.task(), "/f", "f");
    EXPECT_EQ(set_xattr(fs.task(), "/f", "user.short", "1"), 0);
    EXPECT_EQ(set_xattr(fs.task(), "/f", "user.long", long_value), 0);
    EXPECT_EQ(set_xattr(fs.task(), "/f", "security.empty", ""), 0);
    EXPECT_EQ(get_xattr(fs.task(), "/f", "user.long"), long_value);
    fs.umount_and_check(disk);
  }
  EXPECT_NE(file_acl(disk, "/f"), 0u);
  EXPECT_NE(debugfs(disk.path(), "ea_get -x /f user.short").find("31"), std::string::npos);
  mounted fs{disk};
  EXPECT_EQ(xattrs_of(fs.task(), "/f"), (xattr_map{{"security.empty", ""}, {"user.long", long_value}, {"user.short", "1"}}));
  const auto before = fs.task().statfs("/")->bfree;
  EXPECT_EQ(remove_xattr(fs.task(), "/f", "user.long"), 0);
  EXPECT_EQ(set_xattr(fs.task(), "/f", "user.short", "22", XATTR_REPLACE), 0);
  EXPECT_EQ(xattrs_of(fs.task(), "/f"), (xattr_map{{"security.empty", ""}, {"user.short", "22"}}));
  const bool has_body = std::string_view{GetParam()}.find("-I 128") == std::string_view::npos;
  EXPECT_EQ(fs.task().statfs("/")->bfree, before + (has_body ? 1 : 0));
  EXPECT_EQ(remove_xattr(fs.task(), "/f", "user.short"), 0);
  EXPECT_EQ(remove_xattr(fs.task(), "/f", "security.empty"), 0);
  EXPECT_EQ(fs.task().statfs("/")->bfree, before + 1);
  EXPECT_EQ(fs.task().stat("/f")->blocks * 512, fs.task().stat("/f")->blksize * 1u);
  fs.umount_and_check(disk);
}

TEST_P(changed_attributes, of_every_kind_of_file_survive) {
  const std::string value = pattern(300);
  const std::vector<std::string> paths{"/f", "/d", "/short", "/long", "/fifo", "/device"};
  {
    mounted fs{disk};
    vfs::task& t = fs.task();
    write_file(t, "/f", "f");
    ASSERT_TRUE(t.mkdir("/d", 0755));
    ASSERT_TRUE(t.symlink("target", "/short"));
    ASSERT_TRUE(t.symlink(std::string(200, 't'), "/long"));
    ASSERT_TRUE(t.mknod("/fifo", S_IFIFO | 0600, 0));
    ASSERT_TRUE(t.mknod("/device", S_IFCHR | 0600, 0x103));
    for (const std::string& path : paths) {
      EXPECT_EQ(set_xattr(t, path, "trusted.a", path), 0);
      EXPECT_EQ(set_xattr(t, path, "trusted.b", value + path), 0);
    }
    EXPECT_EQ(*t.readlink("/short"), "target");
    fs.umount_and_check(disk);
  }
  mounted fs{disk};
  vfs::task& t = fs.task();
  for (const std::string& path : paths)
    EXPECT_EQ(xattrs_of(t, path), (xattr_map{{"trusted.a", path}, {"trusted.b", value + path}})) << path;
  EXPECT_EQ(*t.readlink("/short"), "target");
  EXPECT_EQ(*t.readlink("/long"), std::string(200, 't'));
  for (const std::string& path : paths) EXPECT_TRUE(path == "/d" ? t.rmdir(path) : t.unlink(path)) << path;
  fs.umount_and_check(disk);
}

// What the entries and values of ALL take, by the rules of the format.
[[nodiscard]] std::size_t bytes_of(const xattr_map& all) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : all) bytes += xattr_entry_bytes(name.size() - name.find('.') - 1) + xattr_value_bytes(value.size());
  return bytes;
}
[[nodiscard]] bool fit_in_block(const xattr_map& all, std::size_t block) { return bytes_of(all) + 32 + 4 <= block; }
// With all that an inode of 512 bytes may hold besides, which is the largest here.
[[nodiscard]] bool fit_at_all(const xattr_map& all, std::size_t block) { return bytes_of(all) <= block - 32 - 4 + 512 - 160 - 4 - 4; }

// Where some are in the inode and others in the block, their order decides what there is room for: between the two bounds both are right.
TEST_P(changed_attributes, follow_a_model) {
  std::mt19937 random{7};
  const auto below = [&random](unsigned n) { return std::uniform_int_distribution<unsigned>{0, n - 1}(random); };
  std::vector<xattr_map> model(6);
  const auto path_of = [](std::size_t file) { return fmt::format("/f{}", file); };
  for (int round = 0; round < 4; ++round) {
    {
      mounted fs{disk};
      vfs::task& t = fs.task();
      for (std::size_t f = 0; f < model.size() && round == 0; ++f) write_file(t, path_of(f), "f");
      for (int i = 0; i < 300; ++i) {
        const std::size_t f = below(static_cast<unsigned>(model.size()));
        const std::string name = fmt::format("{}.{}", std::vector{"user", "trusted", "security"}[below(3)], std::string(1 + below(9), 'n'));
        if (below(3) == 0) {
          EXPECT_EQ(remove_xattr(t, path_of(f), name), model[f].erase(name) != 0 ? 0 : ENODATA);
          continue;
        }
        const std::string value = pattern(below(4) == 0 ? below(700) : below(40), below(2));
        xattr_map wanted = model[f];
        wanted[name] = value;
        const int answer = set_xattr(t, path_of(f), name, value);
        const std::size_t block = t.stat("/")->blksize;
        EXPECT_TRUE(answer == 0 ? fit_at_all(wanted, block) : answer == ENOSPC && !fit_in_block(wanted, block)) << answer;
        if (answer == 0) model[f] = std::move(wanted);
      }
      for (std::size_t f = 0; f < model.size(); ++f) EXPECT_EQ(xattrs_of(t, path_of(f)), model[f]) << f;
      fs.umount_and_check(disk);
    }
    mounted fs{disk, "ro"};
    for (std::size_t f = 0; f < model.size(); ++f) EXPECT_EQ(xattrs_of(fs.task(), path_of(f)), model[f]) << f;
  }
}

INSTANTIATE_TEST_SUITE_P(on, changed_attributes,
                         testing::Values("-b 4096 -I 256", "-b 1024 -I 256", "-b 1024 -I 128", "-b 4096 -I 512",
                                         "-b 2048 -I 256 -O ^metadata_csum,^64bit,^extent"));

TEST(attribute_blocks, of_equal_attributes_are_one) {
  const image disk = make_image("-b 4096");
  const std::string value = pattern(400);
  {
    mounted fs{disk};
    vfs::task& t = fs.task();
    for (int i = 0; i < 1030; ++i) {
      write_file(t, fmt::format("/f{}", i), "");
      ASSERT_EQ(set_xattr(t, fmt::format("/f{}", i), "user.a", value), 0);
    }
    fs.umount_and_check(disk);
  }
  const std::uint64_t block = file_acl(disk, "/f0");
  EXPECT_EQ(file_acl(disk, "/f1023"), block);
  EXPECT_EQ(shares(disk, block), 1024u);
  const std::uint64_t second = file_acl(disk, "/f1024");
  EXPECT_NE(second, block) << "no more than 1024 owners";
  EXPECT_EQ(shares(disk, second), 6u);
  {
    mounted fs{disk};
    ASSERT_EQ(set_xattr(fs.task(), "/f5", "user.b", pattern(100)), 0);
    EXPECT_EQ(get_xattr(fs.task(), "/f6", "user.b"), "ENODATA") << "a block of others is not changed";
    EXPECT_EQ(get_xattr(fs.task(), "/f7", "user.a"), value);
    ASSERT_EQ(remove_xattr(fs.task(), "/f5", "user.b"), 0);
    fs.umount_and_check(disk);
  }
  EXPECT_EQ(shares(disk, file_acl(disk, "/f5")), file_acl(disk, "/f5") == block ? 1024u : 7u) << "it is equal again";
}

TEST(attribute_blocks, of_a_former_mount_are_found) {
  const image disk = make_image("-b 4096");
  const std::string value = pattern(400);
  {
    mounted fs{disk};
    write_file(fs.task(), "/a", "a");
    ASSERT_EQ(set_xattr(fs.task(), "/a", "user.a", value), 0);
    fs.umount_and_check(disk);
  }
  {
    mounted fs{disk};
    write_file(fs.task(), "/b", "b");
    EXPECT_EQ(get_xattr(fs.task(), "/a", "user.a"), value);
    ASSERT_EQ(set_xattr(fs.task(), "/b", "user.a", value), 0);
    fs.umount_and_check(disk);
  }
  EXPECT_EQ(file_acl(disk, "/a"), file_acl(disk, "/b"));
}

// A block that was freed and holds a file's data now is nobody's attributes, whatever it looks like. That it is forgotten when it is freed
// is xattr_index_test's to show: here it is out of the buffer cache too.
TEST(attribute_blocks, that_are_freed_are_not_shared) {
  const image disk = make_image("-b 4096", "4M");
  mounted fs{disk};
  vfs::task& t = fs.task();
  const std::string value = pattern(400);
  for (int i = 0; i < 50; ++i) {
    write_file(t, "/a", "");
    ASSERT_EQ(set_xattr(t, "/a", "user.a", value), 0);
    ASSERT_TRUE(t.unlink("/a"));
    ASSERT_TRUE(fs.kernel().sync());
    write_file(t, fmt::format("/data{}", i), pattern(4096));
  }
  for (int i = 0; i < 50; ++i) EXPECT_EQ(read_file(t, fmt::format("/data{}", i)), pattern(4096));
  fs.umount_and_check(disk);
}

TEST(attributes_without_room, are_refused_and_change_nothing) {
  const image disk = make_image("-b 1024", "4M");
  mounted fs{disk};
  vfs::task& t = fs.task();
  write_file(t, "/f", "f");
  ASSERT_EQ(set_xattr(t, "/f", "user.a", pattern(500)), 0);
  const auto before = t.stat("/f");
  wait_for_tick_after(before->ctime);
  EXPECT_EQ(set_xattr(t, "/f", "user.b", pattern(500)), ENOSPC) << "more than a block";
  EXPECT_EQ(set_xattr(t, "/f", "user.a", pattern(5000)), ENOSPC);
  EXPECT_EQ(get_xattr(t, "/f", "user.a"), pattern(500));
  EXPECT_EQ(t.stat("/f")->ctime, before->ctime);
  write_file(t, "/g", "g");
  const auto fd = t.open("/filler", O_CREAT | O_WRONLY, 0644);
  const std::string text = pattern(1024);
  while (t.write(*fd, text.data(), text.size()).value_or(0) != 0) {
  }
  ASSERT_TRUE(t.close(*fd));
  EXPECT_EQ(set_xattr(t, "/g", "user.a", pattern(501)), ENOSPC) << "no block is free";
  EXPECT_EQ(set_xattr(t, "/g", "user.a", pattern(500)), 0) << "one that is there is shared";
  EXPECT_EQ(set_xattr(t, "/g", "user.short", "s"), 0);
  fs.umount_and_check(disk);
}

TEST(attributes_change, ctime_and_nothing_else) {
  const image disk = make_image();
  mounted fs{disk};
  vfs::task& t = fs.task();
  write_file(t, "/f", "f");
  const timespec old{1, 0};
  const vfs::timespec64 times[2] = {{old.tv_sec, 0}, {old.tv_sec, 0}};
  const auto age = [&] { ASSERT_TRUE(t.utimensat(AT_FDCWD, "/f", times, 0)); };
  ASSERT_EQ(set_xattr(t, "/f", "user.a", "1"), 0);
  age();
  const auto aged = t.stat("/f")->ctime;
  wait_for_tick_after(aged);
  ASSERT_EQ(set_xattr(t, "/f", "user.a", "1"), 0);
  EXPECT_EQ(t.stat("/f")->ctime, aged) << "it had that value";
  ASSERT_EQ(set_xattr(t, "/f", "user.a", "2"), 0);
  EXPECT_GT(t.stat("/f")->ctime, aged);
  EXPECT_EQ(t.stat("/f")->mtime, times[1]);
}

TEST(attributes_options, hide_what_is_not_looked_at) {
  const image disk = make_image();
  const std::string acl = acl_for_user(1000, 6, 4, 4, 4, 0);
  {
    mounted fs{disk};
    write_file(fs.task(), "/f", "f");
    ASSERT_EQ(set_xattr(fs.task(), "/f", "user.a", "1"), 0);
    ASSERT_EQ(set_xattr(fs.task(), "/f", "trusted.a", "1"), 0);
    ASSERT_EQ(set_xattr(fs.task(), "/f", acl_access_name, acl), 0);
    EXPECT_EQ(xattr_names(fs.task(), "/f"), (std::vector<std::string>{std::string{acl_access_name}, "trusted.a", "user.a"}));
    fs.umount_and_check(disk);
  }
  mounted fs{disk, "nouser_xattr,noacl"};
  EXPECT_NE(fs.kernel().mounts().find(",nouser_xattr,noacl"), std::string::npos);
  EXPECT_EQ(xattr_names(fs.task(), "/f"), std::vector<std::string>{"trusted.a"});
  EXPECT_EQ(get_xattr(fs.task(), "/f", "user.a"), "EOPNOTSUPP");
  EXPECT_EQ(set_xattr(fs.task(), "/f", "user.a", "2"), EOPNOTSUPP);
  EXPECT_EQ(get_xattr(fs.task(), "/f", acl_access_name), "EOPNOTSUPP");
  ASSERT_TRUE(fs.kernel().remount("/", "user_xattr,acl"));
  EXPECT_EQ(get_xattr(fs.task(), "/f", "user.a"), "1");
  EXPECT_EQ(get_xattr(fs.task(), "/f", acl_access_name), acl);
  EXPECT_EQ(set_xattr(fs.task(), "/f", "user.", "2"), EINVAL);
  EXPECT_EQ(set_xattr(fs.task(), "/f", "other.a", "2"), EOPNOTSUPP);
  EXPECT_EQ(set_xattr(fs.task(), "/f", "system.data", "2"), EOPNOTSUPP);
}

TEST(attributes_feature, is_not_switched_on) {
  const image disk = make_image("-b 4096 -O ^ext_attr");
  {
    mounted fs{disk};
    write_file(fs.task(), "/f", "f");
    EXPECT_EQ(set_xattr(fs.task(), "/f", "user.a", "1"), EOPNOTSUPP);
    EXPECT_EQ(remove_xattr(fs.task(), "/f", "user.a"), ENODATA);
    EXPECT_EQ(set_xattr(fs.task(), "/f", acl_access_name, acl_for_user(1000, 6, 4, 4, 4, 0)), EOPNOTSUPP);
    EXPECT_EQ(get_xattr(fs.task(), "/f", "user.a"), "ENODATA");
    fs.task().umask(077);
    const auto fd = fs.task().open("/g", O_CREAT | O_WRONLY, 0666);
    ASSERT_TRUE(fd);
    EXPECT_EQ(fs.task().fstat(*fd)->mode & 0777, 0600u) << "the umask is the VFS's then";
    ASSERT_TRUE(fs.task().close(*fd));
    fs.umount_and_check(disk);
  }
  EXPECT_EQ(debugfs(disk.path(), "features").find("ext_attr"), std::string::npos);
}

// ---- images that make no sense ----------------------------------------------------------------------------------------------------------------

struct damage {
  const char* name;
  const char* says;
  std::uint32_t offset;  // from the first entry of the block
  std::uint32_t value;
  std::uint32_t bytes;
};

class damaged_block : public testing::TestWithParam<damage> {};

// Two attributes in a block: user.long of 500 bytes comes last in it, user.more of 300 bytes before that.
TEST_P(damaged_block, is_said_and_refused) {
  const image disk = make_image("-b 4096 -I 128 -O ^metadata_csum");
  {
    mounted fs{disk};
    write_file(fs.task(), "/f", "f");
    ASSERT_EQ(set_xattr(fs.task(), "/f", "user.long", pattern(500)), 0);
    ASSERT_EQ(set_xattr(fs.task(), "/f", "user.more", pattern(300)), 0);
    fs.umount_and_check(disk);
  }
  const std::uint64_t at = file_acl(disk, "/f") * 4096 + 32 + GetParam().offset;
  const le32 value{GetParam().value};
  disk.poke(at, std::as_bytes(std::span{&value, 1}).first(GetParam().bytes));
  mounted fs{disk, "errors=continue"};
  EXPECT_EQ(get_xattr(fs.task(), "/f", "user.long"), "EUCLEAN");
  EXPECT_NE(fs.log().find(GetParam().says), std::string::npos) << fs.log();
  EXPECT_EQ(errno_of(fs.task().llistxattr("/f", nullptr, 0)), EUCLEAN);
  EXPECT_EQ(set_xattr(fs.task(), "/f", "user.new", pattern(100)), EUCLEAN);
  EXPECT_EQ(remove_xattr(fs.task(), "/f", "user.more"), EUCLEAN);
  EXPECT_EQ(fs.task().access("/f", R_OK), result<>{});
  EXPECT_EQ(read_file(fs.task(), "/f"), "f") << "the file itself is whole";
}

INSTANTIATE_TEST_SUITE_P(
    on, damaged_block,
    testing::Values(damage{"long_name", "has a zero byte", 0, 0xFF, 1}, damage{"unlikely_entry", "has a zero byte", 0, 0xFFFFFFFF, 4},
                    damage{"value_in_an_inode", "without the feature ea_inode", 4, 12, 4},
                    damage{"value_past_the_end", "does not lie between", 2, 4000, 2},
                    damage{"huge_value", "does not lie between", 8, 0xFFFFFFF0, 4},
                    damage{"value_over_the_entries", "does not lie between", 2, 40, 2}, damage{"overlap", "two values overlap", 28, 304, 4},
                    damage{"zero_in_a_name", "has a zero byte", 16, 0, 1}, damage{"wrong_hash", "the hash of \"long\"", 12, 7, 4},
                    damage{"wrong_value", "the hash of \"more\"", 4096 - 32 - 800, 7, 4}),
    [](const auto& each) { return std::string{each.param.name}; });

// What lies in the inode does not need the block: lists and labels go on to decide. What the block may hold is not taken for nothing.
TEST(a_damaged_block, leaves_the_inode_its_attributes) {
  const image disk = make_image("-b 4096 -I 256 -O ^metadata_csum");
  const std::string acl = acl_for_user(1000, 6, 4, 0, 4, 0);
  {
    mounted fs{disk};
    write_file(fs.task(), "/f", "f");
    ASSERT_EQ(set_xattr(fs.task(), "/f", acl_access_name, acl), 0);
    ASSERT_EQ(set_xattr(fs.task(), "/f", "user.long", pattern(500)), 0);
    ASSERT_TRUE(fs.task().chmod("/f", 06750));
    fs.umount_and_check(disk);
  }
  disk.poke_value(file_acl(disk, "/f") * 4096, le32{0});
  mounted fs{disk, "errors=continue"};
  EXPECT_EQ(get_xattr(fs.task(), "/f", "user.long"), "EUCLEAN");
  EXPECT_NE(get_xattr(fs.task(), "/f", acl_access_name), "EUCLEAN");
  const vfs::task_ptr user{*fs.kernel().make_task({.uid = 1000, .gid = 1000})};
  EXPECT_TRUE(user->access("/f", R_OK)) << "by the list";
  ASSERT_EQ(errno_of(fs.task().chmod("/f", 06777)), EUCLEAN) << "a list that cannot be stored";
  EXPECT_EQ(errno_of(fs.task().truncate("/f", 1)), EUCLEAN) << "it may have capabilities";
  const auto fd = fs.task().open("/f", O_WRONLY);
  ASSERT_TRUE(fd);
  EXPECT_EQ(errno_of(fs.task().write(*fd, "x", 1)), EUCLEAN);
  EXPECT_EQ(fs.task().fstat(*fd)->mode & 07777, 06750u) << "nothing has changed";
  ASSERT_TRUE(fs.task().close(*fd));
  EXPECT_EQ(read_file(fs.task(), "/f"), "f");
}

TEST(synchronous_files, keep_attributes_and_lists_at_once) {
  const image disk = make_image();
  mounted fs{disk, "sync"};
  write_file(fs.task(), "/f", "f");
  const std::string acl = acl_for_user(1000, 6, 4, 4, 4, 0);
  const auto is_durable = [&](const auto& call) {
    auto& sb = static_cast<ext4_sb_info&>(fs.task().cwd.dent->get_inode()->i_sb);
    const std::uint64_t before = sb.s_commit_sequence.load();
    EXPECT_TRUE(call());
    return sb.s_commit_sequence.load() > before;
  };
  EXPECT_TRUE(is_durable([&] { return set_xattr(fs.task(), "/f", "user.a", "1") == 0; }));
  EXPECT_TRUE(is_durable([&] { return set_xattr(fs.task(), "/f", acl_access_name, acl) == 0; }));
  EXPECT_TRUE(is_durable([&] { return fs.task().chmod("/f", 0600).has_value(); }));
  fs.umount_and_check(disk);
}

TEST(damaged_body, is_said_and_refused) {
  const image disk = make_image("-b 4096 -I 256 -O ^metadata_csum");
  {
    mounted fs{disk};
    write_file(fs.task(), "/f", "f");
    ASSERT_EQ(set_xattr(fs.task(), "/f", "user.a", "1234"), 0);
    fs.umount_and_check(disk);
  }
  const std::string where = debugfs(disk.path(), "imap /f");
  const std::uint64_t block = std::stoull(where.substr(where.find("at block ") + 9));
  const std::uint64_t offset = std::stoull(where.substr(where.find("offset ") + 7), nullptr, 16);
  const std::uint64_t entry = block * 4096 + offset + 160 + 4;
  ASSERT_EQ(disk.peek_value<std::uint8_t>(entry), 1u);
  for (const auto& [at, value] : {std::pair{0u, 0xFFu}, {2u, 0xF0u}, {4u, 1u}, {8u, 0xFFu}}) {
    const auto whole = disk.bytes(entry, 16);
    disk.poke_value(entry + at, static_cast<std::uint8_t>(value));
    mounted fs{disk, "errors=continue"};
    EXPECT_EQ(get_xattr(fs.task(), "/f", "user.a"), "EUCLEAN") << at;
    EXPECT_NE(fs.log().find("attributes in the inode (block"), std::string::npos) << fs.log();
    EXPECT_EQ(set_xattr(fs.task(), "/f", "user.b", "1"), EUCLEAN);
    disk.poke(entry, whole);
  }
}

// Names with bytes above 127 had another hash where char is signed.
TEST(signed_hashes, are_right_too) {
  const image disk = make_image("-b 4096 -I 128 -O ^metadata_csum");
  const std::string name = "user.\xc3\xa4";
  {
    mounted fs{disk};
    write_file(fs.task(), "/f", "f");
    ASSERT_EQ(set_xattr(fs.task(), "/f", name, "v"), 0);
    fs.umount_and_check(disk);
  }
  const std::uint64_t entry = file_acl(disk, "/f") * 4096 + 32;
  // 0xFFFFFFC3 and 0xFFFFFFA4 in place of 0xC3 and 0xA4, then the value's word.
  const auto step = [](std::uint32_t hash, std::uint32_t word, int shift) { return std::rotl(hash, shift) ^ word; };
  const std::uint32_t unsigned_hash = step(step(step(0, 0xC3, 5), 0xA4, 5), 'v', 16);
  const std::uint32_t signed_hash = step(step(step(0, 0xFFFFFFC3, 5), 0xFFFFFFA4, 5), 'v', 16);
  EXPECT_EQ(disk.peek_value<le32>(entry + 12), unsigned_hash);
  disk.poke_value(entry + 12, le32{signed_hash});
  std::string said;
  EXPECT_TRUE(e2fsck_clean(disk.path(), &said)) << said;
  mounted fs{disk};
  EXPECT_EQ(get_xattr(fs.task(), "/f", name), "v");
  ASSERT_EQ(set_xattr(fs.task(), "/f", "user.b", "w"), 0);
  fs.umount_and_check(disk);
}

}  // namespace
}  // namespace xip::ext4lite::test
