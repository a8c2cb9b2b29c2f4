// Mounting: what is refused and why, what is written when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/fs_ext4lite/ext4lite.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/super.h"

namespace xip::ext4lite::test {
namespace {

using testing::HasSubstr;

[[nodiscard]] ext4_super_block super_of(const image& i) { return i.peek_value<ext4_super_block>(super_offset); }

// Changes the super block as CHANGE says and makes its checksum right again.
template <class Change>
void change_super(const image& i, Change&& change) {
  ext4_super_block es = super_of(i);
  change(es);
  if ((es.s_feature_ro_compat & ro_compat_metadata_csum) != 0) es.s_checksum = super_block_checksum(es);
  i.poke_value(super_offset, es);
}

[[nodiscard]] std::string refusal(const image& i, std::uint32_t sb_flags = 0, std::string_view options = {}) {
  bare_mount m{i, sb_flags, options};
  return m.ok() ? "mounted" : m.failure();
}

TEST(Super, MountsWhatMke2fsMakesByDefault) {
  const image i = make_image("", "8M");
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  EXPECT_EQ(m.sb().s_blocksize, 1024u);
  EXPECT_TRUE(m.root().is_dir());
  EXPECT_EQ(m.root().i_ino, ino_t{root_ino});
}

TEST(Super, ReadingLeavesTheImageByteForByte) {
  const image i = make_image();
  const auto before = i.bytes();
  {
    bare_mount m{i};
    ASSERT_TRUE(m.ok()) << m.failure();
    vfs::kstatfs s;
    EXPECT_TRUE(m.sb().s_op->statfs(m.sb(), s));
    EXPECT_TRUE(force_commit(m.sb()));
    EXPECT_TRUE(m.unmount());
    store(m.device(), i);
  }
  EXPECT_EQ(i.bytes(), before);
}

// And with a journal it sets needs_recovery, and nothing else changes there.
TEST(Super, TheFirstChangeSaysThatTheJournalCounts) {
  const image i = make_image();
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  const auto before = super_of(i);
  handle h = *journal_start(m.sb(), 1);
  ASSERT_TRUE(get_write_access(h, **m.sb().s_buffers->read(block_bitmap_of(m.sb(), group_t{0}))));
  store(m.device(), i);
  auto expected = before;
  expected.s_feature_incompat = expected.s_feature_incompat | incompat_recover;
  expected.s_checksum = super_block_checksum(expected);
  const auto now = super_of(i);
  EXPECT_EQ(std::memcmp(&now, &expected, sizeof now), 0);
  h.stop();
  m.unmount_and_check(i);
  EXPECT_EQ(super_of(i).s_feature_incompat, before.s_feature_incompat);
  EXPECT_EQ(super_of(i).s_mnt_count, before.s_mnt_count + 1);
}

TEST(Super, TheFirstChangeClearsValidFsBeforeAnythingElse) {
  const image i = make_image("-b 4096 -O ^has_journal");
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  handle h = *journal_start(m.sb(), 1);
  store(m.device(), i);
  EXPECT_NE(super_of(i).s_state & valid_fs, 0) << "it has changed nothing yet";
  ASSERT_TRUE(get_write_access(h, **m.sb().s_buffers->read(block_bitmap_of(m.sb(), group_t{0}))));
  store(m.device(), i);
  EXPECT_EQ(super_of(i).s_state & valid_fs, 0);
  EXPECT_EQ(super_of(i).s_mnt_count, 1);
  EXPECT_EQ(super_of(i).s_checksum, super_block_checksum(super_of(i)));
  h.stop();
  m.unmount_and_check(i);
  EXPECT_NE(super_of(i).s_state & valid_fs, 0);
}

TEST(Super, AnImageThatWasNotCleanStaysSo) {
  const image i = make_image();
  change_super(i, [](auto& es) { es.s_state = 0; });
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  EXPECT_THAT(m.log(), HasSubstr("not unmounted cleanly"));
  {
    handle h = *journal_start(m.sb(), 1);
    EXPECT_TRUE(mark_inode_dirty(h, m.root()));
  }
  EXPECT_TRUE(m.unmount());
  store(m.device(), i);
  EXPECT_EQ(super_of(i).s_state & valid_fs, 0);
}

TEST(Super, RefusesWhatIsNoExt4) {
  const image i = make_image();
  i.poke_value(super_offset + offsetof(ext4_super_block, s_magic), le16{0x1234});
  EXPECT_THAT(refusal(i), HasSubstr("magic 0x1234, expected 0xef53"));
}

TEST(Super, RefusesAWrongChecksum) {
  const image i = make_image();
  i.poke_value(super_offset + offsetof(ext4_super_block, s_kbytes_written), le64{77});
  EXPECT_THAT(refusal(i), HasSubstr("the super block has checksum"));
}

TEST(Super, NamesEveryUnknownIncompatibleFeature) {
  const image i = make_image();
  change_super(i, [](auto& es) { es.s_feature_incompat = es.s_feature_incompat | incompat_inline_data | incompat_encrypt | 0x40000; });
  EXPECT_EQ(refusal(i), "unsupported incompatible features: inline_data, encrypt, incompat 0x40000");
  EXPECT_THAT(refusal(i, vfs::sb_rdonly), HasSubstr("inline_data"));
}

TEST(Super, UnknownReadOnlyFeaturesCanBeRead) {
  const image i = make_image();
  change_super(i, [](auto& es) { es.s_feature_ro_compat = es.s_feature_ro_compat | ro_compat_quota | ro_compat_project; });
  EXPECT_EQ(refusal(i), "features that cannot be written: quota, project; it can be read (ro)");
  EXPECT_EQ(refusal(i, vfs::sb_rdonly), "mounted");
}

TEST(Super, AJournalToReplayIsNotReplayedForReading) {
  const image i = make_image("-b 4096 -J size=4", "32M");
  change_super(i, [](auto& es) { es.s_feature_incompat = es.s_feature_incompat | incompat_recover; });
  bare_mount m{i, vfs::sb_rdonly};
  EXPECT_TRUE(m.ok()) << m.failure();
  EXPECT_THAT(m.log(), HasSubstr("not replayed"));
}

TEST(Super, LargeBlocksAreRefusedByName) {
  const image i = make_image("-b 65536", "64M");
  EXPECT_EQ(refusal(i), "block size 65536 is not supported; 1024, 2048 and 4096 are");
}

TEST(Super, ATruncatedImageIsSeen) {
  const image i = make_image();
  change_super(i, [](auto& es) { es.s_blocks_count_lo = 3000; });
  EXPECT_THAT(refusal(i), HasSubstr("the file system has 3000 blocks of 4096 bytes, the device only 2048"));
}

TEST(Super, AbsurdGeometryIsRefused) {
  struct change {
    const char* what;
    void (*apply)(ext4_super_block& es);
  };
  const image good = make_image();
  const ext4_super_block es = super_of(good);
  for (const change& c : {
           change{"log_block_size", [](auto& e) { e.s_log_block_size = 0xFFFFFFFF; }},
           change{"log_cluster_size", [](auto& e) { e.s_log_cluster_size = 31; }},
           change{"first_data_block", [](auto& e) { e.s_first_data_block = 7; }},
           change{"inode size", [](auto& e) { e.s_inode_size = 0; }},
           change{"inode size", [](auto& e) { e.s_inode_size = 300; }},
           change{"inode size", [](auto& e) { e.s_inode_size = 8192; }},
           change{"first inode", [](auto& e) { e.s_first_ino = 3; }},
           change{"first inode", [](auto& e) { e.s_first_ino = 0xFFFFFFFF; }},
           change{"extra inode size", [](auto& e) { e.s_want_extra_isize = 200; }},
           change{"per group", [](auto& e) { e.s_blocks_per_group = 0; }},
           change{"per group", [](auto& e) { e.s_blocks_per_group = 0xFFFFFFF8; }},
           change{"inodes per group", [](auto& e) { e.s_inodes_per_group = 0; }},
           change{"inodes per group", [](auto& e) { e.s_inodes_per_group = 0xFFFFFFF0; }},
           change{"inodes in all", [](auto& e) { e.s_inodes_count = 5; }},
           change{"hold no file system", [](auto& e) { e.s_blocks_count_lo = 0; }},
           change{"descriptor size", [](auto& e) { e.s_desc_size = 63; }},
           change{"reserved descriptor blocks", [](auto& e) { e.s_reserved_gdt_blocks = 0xFFFF; }},
           change{"revision", [](auto& e) { e.s_rev_level = 9; }},
       }) {
    change_super(good, c.apply);
    EXPECT_THAT(refusal(good), HasSubstr(c.what));
    good.poke_value(super_offset, es);
  }
  EXPECT_EQ(refusal(good), "mounted");
}

TEST(Super, OptionsAreNamedWhenTheyAreWrong) {
  const image i = make_image();
  EXPECT_EQ(refusal(i, 0, "dax=sometimes"), "dax=sometimes is not known; it may be always, never or inode");
  EXPECT_EQ(refusal(i, 0, "errors=ignore"), "errors=ignore is not known; it may be continue, remount-ro or panic");
  EXPECT_EQ(refusal(i, 0, "zero=never"), "zero=never is not known; it may be convert or alloc");
  EXPECT_EQ(refusal(i, 0, "zero"), "zero= is not known; it may be convert or alloc");
  EXPECT_THAT(refusal(i, 0, "data=journal"), HasSubstr("option \"data=journal\" is not known"));
  EXPECT_EQ(refusal(i, 0, "dax=always,errors=panic,noload"), "mounted");
}

TEST(Super, DaxAlwaysNeedsPages) {
  const image i = make_image("-b 1024");
  EXPECT_EQ(refusal(i, 0, "dax=always"), "dax=always needs blocks of 4096 bytes, these have 1024");
  EXPECT_EQ(refusal(i, 0, "dax=inode"), "mounted");
}

TEST(Super, OptionsAreShown) {
  const image i = make_image();
  bare_mount m{i, 0, "dax=never,errors=remount-ro,zero=alloc"};
  ASSERT_TRUE(m.ok()) << m.failure();
  std::string text;
  show_options(m.sb(), text);
  EXPECT_EQ(text, ",dax=never,errors=remount-ro,zero=alloc");
}

// Every layout that mke2fs makes: it mounts, one change is made, and e2fsck likes what is left.
class Layout : public testing::TestWithParam<const char*> {};

TEST_P(Layout, MountsAndUnmountsClean) {
  const image i = make_image(GetParam(), "32M");
  bare_mount m{i};
  ASSERT_TRUE(m.ok()) << m.failure();
  {
    handle h = *journal_start(m.sb(), 1);
    EXPECT_TRUE(mark_inode_dirty(h, m.root()));
  }
  m.unmount_and_check(i);
}

INSTANTIATE_TEST_SUITE_P(Mke2fs, Layout,
                         testing::Values("-b 1024", "-b 2048", "-b 4096", "-b 1024 -g 256", "-b 4096 -O ^metadata_csum",
                                         "-b 4096 -O ^metadata_csum,uninit_bg", "-b 1024 -O ^metadata_csum,uninit_bg,^64bit",
                                         "-b 4096 -O ^64bit", "-b 4096 -O ^flex_bg", "-b 1024 -g 1024 -O ^flex_bg",
                                         "-b 1024 -O meta_bg,^resize_inode -g 512", "-b 1024 -O sparse_super2 -g 1024",
                                         "-b 1024 -O ^sparse_super,^resize_inode -g 1024", "-b 4096 -O ^resize_inode",
                                         "-b 4096 -O ^has_journal", "-b 4096 -I 128", "-b 4096 -I 1024", "-b 4096 -O metadata_csum_seed",
                                         "-b 4096 -O ^huge_file,^dir_nlink,^extra_isize", "-b 4096 -O large_dir",
                                         "-b 4096 -O ^filetype,^dir_index", "-b 4096 -O ^extent,^64bit",
                                         "-b 1024 -O ^extent,^64bit,^metadata_csum", "-b 4096 -E lazy_itable_init=1",
                                         "-b 4096 -O orphan_file", "-b 1024 -G 4 -g 512"));

}  // namespace
}  // namespace xip::ext4lite::test
