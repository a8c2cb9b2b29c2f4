// Attribute blocks, made by debugfs, when their inodes go.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/image.h"
#include "fs_ext4lite/tree.h"

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

}  // namespace
}  // namespace xip::ext4lite::test
