// The orphan list: kept on disk and in memory, cleaned up at mount, refused when it makes no sense.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/orphans.h"
#include "fs_ext4lite/super.h"

namespace xip::ext4lite::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The list as the image has it.
[[nodiscard]] std::vector<std::uint32_t> list_of(const image& i) {
  std::vector<std::uint32_t> numbers;
  bare_mount m{i, vfs::sb_rdonly};
  EXPECT_TRUE(m.ok()) << m.failure();
  for (std::uint32_t n = super_block_copy(m.sb()).s_last_orphan; n != 0 && numbers.size() < 10;) {
    numbers.push_back(n);
    const inode_slot slot = *inode_slot_of(m.sb(), ino_t{n});
    le32 next;
    std::memcpy(&next, slot.buffer->data().data() + slot.offset + offsetof(ext4_inode, i_dtime), sizeof next);
    n = next;
  }
  return numbers;
}

struct Orphan : testing::Test {
  image disk = make_image("-b 1024 -O ^metadata_csum,^uninit_bg,^has_journal");

  [[nodiscard]] std::vector<std::uint32_t> list_on(bare_mount& m) {
    EXPECT_TRUE(force_commit(m.sb()));
    store(m.device(), disk);
    return list_of(disk);
  }
  static void add(bare_mount& m, ext4_inode_info& i) {
    handle h = *journal_start(m.sb(), credits_orphan);
    EXPECT_TRUE(orphan_add(h, i));
  }
};

TEST_F(Orphan, TheListOnDiskFollowsEveryChange) {
  bare_mount m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  ext4_inode_info& a = make_file(m);
  ext4_inode_info& b = make_file(m);
  ext4_inode_info& c = make_file(m);
  for (ext4_inode_info* i : {&a, &b, &c}) add(m, *i);
  EXPECT_THAT(list_on(m), ElementsAre(14, 13, 12));
  add(m, b);
  EXPECT_THAT(list_on(m), ElementsAre(14, 13, 12)) << "it was there already";
  remove(m, b);
  EXPECT_THAT(list_on(m), ElementsAre(14, 12));
  remove(m, c);
  EXPECT_THAT(list_on(m), ElementsAre(12));
  remove(m, a);
  EXPECT_THAT(list_on(m), ElementsAre());
  for (ext4_inode_info* i : {&a, &b, &c}) {
    i->i_nlink = 0;
    vfs::iput(i);
  }
  m.unmount_and_check(disk);
}

TEST_F(Orphan, TheNextMountDeletesWhatACrashLeft) {
  std::int64_t free_inodes = 0;
  {
    bare_mount m{disk};
    ASSERT_TRUE(m.ok()) << m.failure();
    free_inodes = m.sb().s_freeinodes;
    ext4_inode_info& a = make_file(m);
    ext4_inode_info& b = make_file(m);
    for (ext4_inode_info* i : {&a, &b}) {
      handle h = *journal_start(m.sb(), credits_orphan + credits_inode);
      i->i_nlink = 0;
      EXPECT_TRUE(orphan_add(h, *i));
      EXPECT_TRUE(mark_inode_dirty(h, *i));
    }
    EXPECT_THAT(list_on(m), ElementsAre(13, 12));
    vfs::iput(&a);
    vfs::iput(&b);
  }
  bare_mount m{disk};  // the image of before the two were let go
  ASSERT_TRUE(m.ok()) << m.failure();
  EXPECT_THAT(m.log(), HasSubstr("2 orphan inodes cleaned up"));
  EXPECT_EQ(m.sb().s_freeinodes, free_inodes);
  EXPECT_TRUE(m.unmount());
  store(m.device(), disk);
  std::string output;
  (void)e2fsck_clean(disk.path(), &output);
  EXPECT_THAT(output, testing::Not(HasSubstr("rphan"))) << output;
}

TEST_F(Orphan, AListThatMakesNoSenseIsRefusedAndLeftAsItIs) {
  const auto set_head = [&](std::uint32_t n) { disk.poke_value(super_offset + offsetof(ext4_super_block, s_last_orphan), le32{n}); };
  const auto refusal = [&] {
    const auto before = disk.bytes();
    bare_mount m{disk};
    const std::string why = m.ok() ? "mounted" : m.failure();
    store(m.device(), disk);
    EXPECT_EQ(disk.bytes(), before);
    return why;
  };
  set_head(8);
  EXPECT_THAT(refusal(), HasSubstr("holds inode 8, which is reserved"));
  set_head(0x7FFFFFFF);
  EXPECT_THAT(refusal(), HasSubstr("but the last inode is"));
  set_head(12);
  EXPECT_THAT(refusal(), HasSubstr("which is free in the inode bitmap"));
  set_head(11);  // lost+found, in use, with links
  std::uint64_t dtime = 0;
  {
    bare_mount m{disk, vfs::sb_rdonly};
    ASSERT_TRUE(m.ok()) << m.failure();
    const inode_slot slot = *inode_slot_of(m.sb(), ino_t{11});
    dtime = bytes_of(slot.buffer->block(), m.sb().s_blocksize_bits) + slot.offset + offsetof(ext4_inode, i_dtime);
  }
  disk.poke_value(dtime, le32{11});
  EXPECT_THAT(refusal(), HasSubstr("comes back to inode 11"));
  bare_mount reader{disk, vfs::sb_rdonly};
  EXPECT_TRUE(reader.ok()) << reader.failure();
}

// One good inode at the head of the list and one behind it that cannot be read: the first must not be cleaned up before the second is seen.
TEST(OrphanOfAForeignImage, IsReadWholeBeforeAnythingIsChanged) {
  for (const char* damage : {"mode 0170000", "block[0] 0x1234", "size 0x7fffffffffffffff"}) {
    const image disk = make_image("-b 1024 -O ^metadata_csum,^uninit_bg");
    for (const char* command : {"write /etc/hostname a", "write /etc/hostname b", "set_inode_field a dtime 13",
                                "set_inode_field a links_count 0", "ssv last_orphan 12"})
      (void)debugfs(disk.path(), command, true);
    (void)debugfs(disk.path(), std::string{"set_inode_field b "} + damage, true);
    const auto before = disk.bytes();
    bare_mount m{disk};
    EXPECT_FALSE(m.ok()) << damage;
    EXPECT_THAT(m.failure(), HasSubstr("holds inode 13, which cannot be cleaned up")) << damage;
    store(m.device(), disk);
    EXPECT_EQ(disk.bytes(), before) << damage;
  }
}

// i_block of a device holds its number, which no truncate may take for a block.
TEST(OrphanOfAForeignImage, MayHaveNoBlocks) {
  const image disk = make_image("-b 4096", "16M");
  (void)debugfs(disk.path(), "mknod dev c 1 44", true);
  (void)debugfs(disk.path(), "ssv last_orphan 12", true);
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  EXPECT_EQ(fs.task().stat("/dev")->rdev, (1u << 8) + 44);
  fs.umount_and_check(disk);
}

// A truncate failed, and the file is let go: the list on disk must not keep what a later one would put there again.
TEST_F(Orphan, AFileThatLeavesMemoryLeavesTheListToo) {
  bare_mount m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  ext4_inode_info& a = make_file(m);
  ext4_inode_info& b = make_file(m);
  add(m, a);
  add(m, b);
  vfs::iput(&a);
  EXPECT_THAT(list_on(m), ElementsAre(13));
  b.i_nlink = 0;
  vfs::iput(&b);
  (**ext4_iget(m.sb(), ino_t{12})).i_nlink = 0;  // the image is to be clean in the end
  EXPECT_THAT(list_on(m), ElementsAre());
  m.unmount_and_check(disk);
}

}  // namespace
}  // namespace xip::ext4lite::test
