// Inodes: what a slot says, what is written into it, numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/group.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/inode_fields.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite::test {
namespace {

using testing::HasSubstr;

TEST(InodeFields, TimesKeepNanosecondsAndReach2446) {
  for (const std::int64_t s : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{INT32_MAX}, std::int64_t{INT32_MAX} + 1,
                               std::int64_t{UINT32_MAX}, std::int64_t{1} << 33, time_max, time_min}) {
    const encoded_time e = encode_time({s, 123'456'789}, true);
    EXPECT_EQ(decode_time(e.seconds, e.extra), (vfs::timespec64{s, 123'456'789})) << s;
  }
  EXPECT_EQ(encode_time({time_max + 1, 0}, true).seconds, encode_time({time_max, 0}, true).seconds);
  EXPECT_EQ(decode_time(encode_time({std::int64_t{1} << 33, 5}, false).seconds, {}), (vfs::timespec64{INT32_MAX, 0}));
}

TEST(InodeFields, DeviceNumbersInBothForms) {
  for (const std::uint64_t dev : {gnu_dev_makedev(8, 1), gnu_dev_makedev(255, 255), gnu_dev_makedev(259, 3), gnu_dev_makedev(7, 70000)}) {
    const encoded_device e = encode_device(dev);
    EXPECT_EQ(decode_device(e.old, e.fresh), dev);
  }
}

// Byte offset of inode NUMBER in the image.
[[nodiscard]] std::uint64_t place_of(const image& i, std::uint32_t number) {
  bare_mount m{i, vfs::sb_rdonly};
  EXPECT_TRUE(m.ok()) << m.failure();
  const inode_slot slot = *inode_slot_of(m.sb(), ino_t{number});
  return bytes_of(slot.buffer->block(), m.sb().s_blocksize_bits) + slot.offset;
}

[[nodiscard]] int error_of(const result<vfs::inode_ref>& r) { return r ? 0 : r.error().number(); }

TEST(Inode, ReadsWhatDebugfsWrote) {
  const image i = make_image("-b 4096");
  const std::string path = i.path();
  (void)debugfs(path, "write /etc/hostname f", true);
  (void)debugfs(path, "set_inode_field f mode 0100640", true);
  (void)debugfs(path, "set_inode_field f uid 70000", true);
  (void)debugfs(path, "set_inode_field f gid 80001", true);
  (void)debugfs(path, "set_inode_field f mtime @100", true);
  (void)debugfs(path, "set_inode_field f mtime_extra 0x1D6F3455", true);
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  const auto f = ext4_iget(m.sb(), ino_t{12});
  ASSERT_TRUE(f) << m.log();
  EXPECT_EQ((*f)->i_mode, 0100640u);
  EXPECT_EQ((*f)->i_uid, 70000u);
  EXPECT_EQ((*f)->i_gid, 80001u);
  EXPECT_EQ((*f)->i_nlink, 1u);
  EXPECT_EQ((*f)->times().mtime.seconds, 100 + (std::int64_t{1} << 32));
  EXPECT_EQ((*f)->times().mtime.nanoseconds, 0x1D6F3455u >> 2);
}

TEST(Inode, AWrongChecksumIsSeen) {
  const image i = make_image();
  i.poke_value(place_of(i, 11) + offsetof(ext4_inode, i_uid), le16{1});
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  EXPECT_EQ(error_of(ext4_iget(m.sb(), ino_t{11})), EUCLEAN);
  EXPECT_THAT(m.log(), HasSubstr("inode 11: wrong checksum"));
  EXPECT_EQ(error_of(ext4_iget(m.sb(), ino_t{11})), EUCLEAN) << "a second look sees it too";
}

TEST(Inode, NumbersOutOfRangeAreCorruption) {
  const image i = make_image();
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  for (const std::uint32_t n : {0u, 1u, 3u, 7u, 8u, 10u, m.sb().s_inodes_count + 1, ~0u})
    EXPECT_EQ(error_of(ext4_iget(m.sb(), ino_t{n})), EUCLEAN) << n;
}

struct bad_slot {
  const char* message;
  int error;
  std::size_t offset;
  std::uint32_t value;
  std::size_t bytes;
};

TEST(Inode, FieldsThatCannotBeAreSeen) {
  for (const bad_slot& bad : {bad_slot{"names no file type", EUCLEAN, offsetof(ext4_inode, i_mode), 0170000, 2},
                              bad_slot{"extra size", EUCLEAN, offsetof(ext4_inode, i_extra_isize), 250, 2},
                              bad_slot{"extra size", EUCLEAN, offsetof(ext4_inode, i_extra_isize), 30, 2},
                              bad_slot{"attribute block", EUCLEAN, offsetof(ext4_inode, i_file_acl_lo), 0x7FFFFFFF, 4},
                              bad_slot{"attribute block 1 ", EUCLEAN, offsetof(ext4_inode, i_file_acl_lo), 1, 4},
                              bad_slot{"inline data", EOPNOTSUPP, offsetof(ext4_inode, i_flags), inline_data_fl | extents_fl, 4},
                              bad_slot{"encryption", EOPNOTSUPP, offsetof(ext4_inode, i_flags), encrypt_fl, 4},
                              bad_slot{"fs-verity", EOPNOTSUPP, offsetof(ext4_inode, i_flags), verity_fl, 4},
                              bad_slot{"", ESTALE, offsetof(ext4_inode, i_links_count), 0, 2}}) {
    const image i = make_image("-b 4096 -O ^metadata_csum");
    const le32 value{bad.value};
    i.poke(place_of(i, 11) + bad.offset, std::as_bytes(std::span{&value, 1}).first(bad.bytes));
    bare_mount m{i};
    ASSERT_TRUE(m.ok()) << m.failure();
    EXPECT_EQ(error_of(ext4_iget(m.sb(), ino_t{11})), bad.error) << bad.message;
    EXPECT_THAT(m.log(), HasSubstr(bad.message));
  }
}

// Negative, and one past the last block number there is: 2^44 - 4096 with blocks of 4 KiB.
TEST(Inode, ASizeThatNoFileCanHaveIsSeen) {
  for (const auto& [high, low, error] : {std::tuple{0x80000000u, 0u, EUCLEAN}, {0xFFFu, 0xFFFFF001u, EUCLEAN}, {0xFFFu, 0xFFFFF000u, 0}}) {
    const image i = make_image("-b 4096 -O ^metadata_csum");
    (void)debugfs(i.path(), "write /etc/hostname f", true);
    i.poke_value(place_of(i, 12) + offsetof(ext4_inode, i_size_high), le32{high});
    i.poke_value(place_of(i, 12) + offsetof(ext4_inode, i_size_lo), le32{low});
    bare_mount m{i};
    ASSERT_TRUE(m.ok()) << m.failure();
    EXPECT_EQ(error_of(ext4_iget(m.sb(), ino_t{12})), error) << high << low;
  }
}

// What left memory before its commit is still not durable.
TEST(Inode, ReadAgainItWaitsForTheRunningCommit) {
  const image i = make_image();
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  {
    handle h = *journal_start(m.sb(), 1);
    EXPECT_TRUE(mark_inode_dirty(h, m.root()));
  }
  const auto again = ext4_iget(m.sb(), ino_t{11});
  ASSERT_TRUE(again);
  EXPECT_EQ(info_of(**again).i_sync_tid, m.sb().s_commit_sequence + 1);
  EXPECT_EQ(info_of(**again).i_datasync_tid, m.sb().s_commit_sequence + 1);
}

TEST(Inode, ARootThatIsNoDirectoryRefusesTheMount) {
  const image i = make_image("-b 4096 -O ^metadata_csum");
  i.poke_value(place_of(i, 2) + offsetof(ext4_inode, i_mode), le16{0100644});
  bare_mount m{i};
  EXPECT_FALSE(m.ok());
  EXPECT_THAT(m.failure(), HasSubstr("root directory"));
}

// What is written is what debugfs reads, with any size of slot.
TEST(Inode, WritesWhatDebugfsReads) {
  for (const char* options : {"-b 4096", "-b 4096 -I 128", "-b 4096 -I 512 -O ^metadata_csum", "-b 1024 -O ^huge_file"}) {
    const image i = make_image(options);
    bare_mount m{i};
    ASSERT_TRUE(m.ok()) << m.failure();
    {
      handle h = *journal_start(m.sb(), 8);
      auto made = new_inode(h, m.root(), S_IFCHR | 0620, "tty");
      ASSERT_TRUE(made);
      ext4_inode_info& inode = **made;
      EXPECT_EQ(inode.i_ino, ino_t{12});
      inode.i_rdev = gnu_dev_makedev(4, 64);
      inode.i_uid = 0x12345678;
      inode.set_times({{1, 2}, {3, 4}, {5, 6}, {7, 8}});
      EXPECT_TRUE(mark_inode_dirty(h, inode));
      vfs::unlock_new_inode(inode);
      h.stop();
      vfs::iput(&inode);
    }
    EXPECT_TRUE(m.unmount());
    store(m.device(), i);
    const std::string stat = debugfs(i.path(), "stat <12>");
    EXPECT_THAT(stat, HasSubstr("Type: character special    Mode:  0620")) << options;
    EXPECT_THAT(stat, HasSubstr("305419896")) << options;
    EXPECT_THAT(stat, HasSubstr("Device major/minor number: 04:64")) << options;
    EXPECT_THAT(stat, testing::Not(HasSubstr("checksum does not match"))) << options;
  }
}

TEST(InodeAlloc, NumbersAscendFromTheFirstFree) {
  const image i = make_image("-b 1024 -g 1024 -N 256", "4M");
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  std::vector<ext4_inode_info*> all;
  const auto free_before = static_cast<std::uint64_t>(m.sb().s_freeinodes);
  for (;;) {
    auto h = journal_start(m.sb(), 8);
    ASSERT_TRUE(h);
    auto made = new_inode(*h, m.root(), S_IFREG | 0644, "f");
    if (!made) {
      EXPECT_EQ(made.error(), ENOSPC);
      break;
    }
    vfs::unlock_new_inode(**made);
    EXPECT_GE((*made)->i_ino.value(), m.sb().s_first_ino);
    all.push_back(*made);
  }
  EXPECT_EQ(all.size(), free_before);
  EXPECT_EQ(m.sb().s_freeinodes, 0);
  EXPECT_EQ(all[0]->i_ino, ino_t{12});
  EXPECT_EQ(all[1]->i_ino, ino_t{13});
  for (ext4_inode_info* inode : all) {
    inode->i_nlink = 0;
    vfs::iput(inode);
  }
  EXPECT_EQ(static_cast<std::uint64_t>(m.sb().s_freeinodes), free_before);
  m.unmount_and_check(i);
}

// An image may reserve whole groups of numbers, which were never written then.
TEST(InodeAlloc, GroupsOfReservedNumbersStayUnwritten) {
  const image i = make_image("-b 1024 -g 1024 -N 256", "4M");
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  const std::uint32_t last = m.sb().s_groups_count - 1;
  const auto is_unwritten = [&](std::uint32_t g) { return (flags_of(m.sb(), group_desc(m.sb(), group_t{g})) & bg_inode_uninit) != 0; };
  for (std::uint32_t g = 1; g <= last; ++g) ASSERT_TRUE(is_unwritten(g));
  m.sb().s_first_ino = last * m.sb().s_inodes_per_group + 5;
  {
    handle h = *journal_start(m.sb(), 8);
    auto made = new_inode(h, m.root(), S_IFREG | 0644, "f");
    ASSERT_TRUE(made);
    vfs::unlock_new_inode(**made);
    EXPECT_EQ((*made)->i_ino, ino_t{m.sb().s_first_ino});
    (*made)->i_nlink = 0;
    h.stop();
    vfs::iput(*made);
  }
  for (std::uint32_t g = 1; g < last; ++g) EXPECT_TRUE(is_unwritten(g)) << g;
  m.unmount_and_check(i);
}

TEST(InodeAlloc, DirectoriesOfTheRootAreSpread) {
  const image i = make_image("-b 1024 -g 1024 -O ^flex_bg", "16M");
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  std::set<std::uint32_t> groups;
  std::vector<ext4_inode_info*> all;
  for (int n = 0; n < 8; ++n) {
    handle h = *journal_start(m.sb(), 8);
    auto made = new_inode(h, m.root(), S_IFDIR | 0755, std::string(1, static_cast<char>('a' + n)));
    ASSERT_TRUE(made);
    vfs::unlock_new_inode(**made);
    EXPECT_EQ((*made)->i_nlink, 2u);
    groups.insert((*made)->i_block_group.value());
    all.push_back(*made);
  }
  EXPECT_EQ(groups.size(), 8u);
  for (ext4_inode_info* inode : all) {
    inode->i_nlink = 0;
    vfs::iput(inode);
  }
  m.unmount_and_check(i);
}

TEST(InodeAlloc, AFreeNumberThatIsInUseIsCorruption) {
  const image i = make_image("-b 4096 -O ^metadata_csum,^uninit_bg");
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  handle h = *journal_start(m.sb(), 16);
  auto made = new_inode(h, m.root(), S_IFREG | 0644, "f");
  ASSERT_TRUE(made);
  vfs::unlock_new_inode(**made);
  ASSERT_TRUE(release_inode_number(h, (*made)->i_ino, false));  // what a corrupt bitmap looks like
  EXPECT_EQ(new_inode(h, m.root(), S_IFREG | 0644, "g").error(), EUCLEAN);
  EXPECT_THAT(m.log(), HasSubstr("is in use, but the inode bitmap of group 0 said that it is free"));
  h.stop();
  vfs::iput(*made);
}

TEST(InodeAlloc, FreeingTwiceIsCorruption) {
  const image i = make_image();
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  handle h = *journal_start(m.sb(), 4);
  EXPECT_EQ(release_inode_number(h, ino_t{12}, false).error(), EUCLEAN);
}

TEST(InodeAlloc, InheritsFromTheDirectory) {
  const image i = make_image();
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  m.root().i_mode = S_IFDIR | S_ISGID | 0777;
  m.root().i_gid = 555;
  m.root().i_flags_disk.fetch_or(noatime_fl | dirsync_fl | immutable_fl);
  m.who() = {.uid = 1000, .gid = 100, .groups = {}};
  handle h = *journal_start(m.sb(), 16);
  ext4_inode_info& file = **new_inode(h, m.root(), S_IFREG | 0644, "f");
  ext4_inode_info& dir = **new_inode(h, m.root(), S_IFDIR | 0755, "d");
  EXPECT_EQ(file.i_uid, 1000u);
  EXPECT_EQ(file.i_gid, 555u);
  EXPECT_EQ(dir.i_mode, S_IFDIR | S_ISGID | 0755u);
  EXPECT_EQ(file.i_flags_disk, noatime_fl | extents_fl);
  EXPECT_EQ(dir.i_flags_disk, noatime_fl | dirsync_fl | extents_fl);
  EXPECT_NE(file.i_generation, dir.i_generation);
  h.stop();
  for (ext4_inode_info* n : {&file, &dir}) {
    vfs::unlock_new_inode(*n);
    n->i_nlink = 0;
    vfs::iput(n);
  }
}

}  // namespace
}  // namespace xip::ext4lite::test
