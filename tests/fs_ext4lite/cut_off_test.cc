// Mounts that were cut off in the middle of their work: what they leave in the journal is replayed by us, by e2fsck and by Linux, and nothing that was
// synced is lost.
#include <fcntl.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/loop_mount.h"
#include "fs_ext4lite/replay.h"
#include "fs_ext4lite/tree.h"
#include "jbd2/checksum.h"

namespace xip::ext4lite::test {
namespace {

using testing::HasSubstr;

[[nodiscard]] std::string contents_of(int i, std::uint32_t generation = 1) {
  return pattern(static_cast<std::size_t>(i) * 377 % 9000, generation);
}

void make_tree(vfs::task& t, std::string_view prefix, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string directory = fmt::format("/{}{}", prefix, i % 7);
    if (i < 7) {
      ASSERT_TRUE(t.mkdir(directory, 0755)) << directory;
    }
    write_file(t, fmt::format("{}/file-{}", directory, i), contents_of(i));
  }
}

void sync(vfs::task& t) {
  const int fd = t.open("/", O_RDONLY | O_DIRECTORY).value();
  ASSERT_TRUE(t.syncfs(fd));
  ASSERT_TRUE(t.close(fd));
}

class cut_off : public testing::TestWithParam<const char*> {
 protected:
  // WORK on a fresh mount, whose device is as it is then when it is cut off.
  template <class Work>
  void work_and_cut(Work&& work, std::string_view options = {}) const {
    mounted fs{disk, options};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    work(fs.task());
    store(fs.device(), disk);
  }
  image disk{make_image(GetParam(), "32M")};
};

void busy(vfs::task& t) {
  make_tree(t, "old-", 40);
  sync(t);
  make_tree(t, "new-", 60);
  for (int i = 3; i < 40; i += 7) ASSERT_TRUE(t.unlink(fmt::format("/old-3/file-{}", i)));
  ASSERT_TRUE(t.rmdir("/old-3"));
  ASSERT_TRUE(t.rename("/old-4", "/new-1/moved"));
  ASSERT_TRUE(t.truncate("/new-2/file-23", 100));
  sync(t);
}

TEST_P(cut_off, is_replayed_as_by_e2fsck) {
  work_and_cut(busy);
  compare_with_e2fsck(disk);
  mounted fs{disk, "ro"};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  for (int i = 0; i < 60; ++i) {
    if (i == 23) continue;
    EXPECT_TRUE(read_file(fs.task(), fmt::format("/new-{}/file-{}", i % 7, i)) == contents_of(i)) << i;
  }
  EXPECT_TRUE(read_file(fs.task(), "/new-2/file-23") == contents_of(23).substr(0, 100));
  EXPECT_TRUE(read_file(fs.task(), "/new-1/moved/file-4") == contents_of(4));
  EXPECT_FALSE(fs.task().stat("/old-3").has_value());
}

TEST_P(cut_off, loses_what_was_not_synced_and_nothing_else) {
  work_and_cut([](vfs::task& t) {
    write_file(t, "/synced", "kept");
    sync(t);
    write_file(t, "/lost", "gone");
    ASSERT_TRUE(t.unlink("/synced"));
  });
  recover_by_us(disk);
  mounted fs{disk, "ro"};
  EXPECT_EQ(names_in(fs.task(), "/"), (std::vector<std::string>{".", "..", "lost+found", "synced"}));
  EXPECT_EQ(read_file(fs.task(), "/synced"), "kept");
}

TEST_P(cut_off, is_repaired_by_e2fsck) {
  work_and_cut(busy);
  const auto judged = run_command({"e2fsck", "-p", disk.path()});
  EXPECT_EQ(judged.status, 0) << judged.output;
  std::string said;
  EXPECT_TRUE(e2fsck_clean(disk.path(), &said)) << said;
  mounted fs{disk, "ro"};
  EXPECT_TRUE(read_file(fs.task(), "/new-1/moved/file-4") == contents_of(4));
}

// More than the log can hold at once, several times over.
TEST_P(cut_off, goes_around_the_log) {
  work_and_cut([](vfs::task& t) {
    for (int round = 0; round < 40; ++round) {
      for (int i = 0; i < 12; ++i) write_file(t, fmt::format("/f{}", i), contents_of(i + 1, static_cast<std::uint32_t>(round)));
      sync(t);
      const int fd = t.open("/grows", O_WRONLY | O_CREAT | O_APPEND, 0644).value();
      ASSERT_TRUE(t.write(fd, "0123456789abcdef", 16));
      ASSERT_TRUE(t.fsync(fd));
      ASSERT_TRUE(t.close(fd));
    }
  });
  compare_with_e2fsck(disk);
  mounted fs{disk, "ro"};
  for (int i = 0; i < 12; ++i) EXPECT_TRUE(read_file(fs.task(), fmt::format("/f{}", i)) == contents_of(i + 1, 39)) << i;
  EXPECT_EQ(read_file(fs.task(), "/grows").size(), 640u);
}

// Many changes in many blocks that nobody syncs: room is made where the next change needs it, at the beginning of a create, a write, a truncate.
TEST_P(cut_off, makes_room_where_it_is_needed) {
  const char mebibytes = GetParam()[3];  // 1024 blocks: a journal cannot be smaller
  const image small = make_image(fmt::format("{} -N 4000 -J size={}", GetParam(), mebibytes), "32M");
  mounted fs{small};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  vfs::task& t = fs.task();
  constexpr int files = 1400;
  for (int i = 0; i < files; ++i) write_file(t, fmt::format("/f{}", i), contents_of(i % 5 + 2));
  for (int i = 0; i < files; ++i) ASSERT_TRUE(t.truncate(fmt::format("/f{}", i), i % 3 * 100));
  for (int i = 0; i < files; i += 2) ASSERT_TRUE(t.unlink(fmt::format("/f{}", i)));
  fs.umount_and_check(small);
}

TEST_P(cut_off, finishes_what_was_unlinked_and_open) {
  work_and_cut([](vfs::task& t) {
    write_file(t, "/open", pattern(50'000));
    (void)t.open("/open", O_RDONLY).value();
    ASSERT_TRUE(t.unlink("/open"));
    sync(t);
  });
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  EXPECT_THAT(fs.log(), HasSubstr("1 orphan inodes cleaned up"));
  fs.umount_and_check(disk);
}

// A second life in the same log: what the first has left in it is not taken for a part of it.
TEST_P(cut_off, may_be_cut_off_again) {
  for (int life = 0; life < 4; ++life) {
    work_and_cut([life](vfs::task& t) {
      write_file(t, fmt::format("/life-{}", life), contents_of(life + 1));
      sync(t);
    });
    if (life == 1) recover_by_us(disk);
  }
  compare_with_e2fsck(disk);
  mounted fs{disk, "ro"};
  for (int life = 0; life < 4; ++life) EXPECT_TRUE(read_file(fs.task(), fmt::format("/life-{}", life)) == contents_of(life + 1)) << life;
}

INSTANTIATE_TEST_SUITE_P(images, cut_off,
                         testing::Values("-b 4096", "-b 1024", "-b 2048 -O ^metadata_csum", "-b 4096 -O ^64bit",
                                         "-b 1024 -O ^64bit,^metadata_csum", "-b 4096 -O ^extent,^64bit"));

// ---- Linux --------------------------------------------------------------------------------------------------------------------------------

class cut_off_before_linux : public with_linux {
 protected:
  cut_off_before_linux() : with_linux{"64M"} {}
};

TEST_P(cut_off_before_linux, is_replayed_by_it) {
  {
    mounted fs{disk};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    busy(fs.task());
    store(fs.device(), disk);
  }
  ASSERT_TRUE(needs_recovery(disk));
  {
    const loop_mount theirs{disk};
    ASSERT_TRUE(theirs.ok());
    EXPECT_TRUE(std::filesystem::exists(theirs.path("new-1/moved/file-4")));
    EXPECT_FALSE(std::filesystem::exists(theirs.path("old-3")));
    EXPECT_EQ(std::filesystem::file_size(theirs.path("new-6/file-6")), contents_of(6).size());
    EXPECT_EQ(std::filesystem::file_size(theirs.path("new-2/file-23")), 100u);
  }
  check();
}

INSTANTIATE_TEST_SUITE_P(images, cut_off_before_linux, testing::Values("-b 4096", "-b 1024", "-b 4096 -O ^metadata_csum"));

// ---- a journal's super block that a crash has torn ---------------------------------------------------------------------------------------------

// What is lost where the checksum is written with each move of the log's tail, as Linux does: the line with the new checksum has arrived, the line with the new
// place has not. The transactions are all there, and e2fsck throws them away. We never write the checksum (jbd2's tests), and replay what others have torn.
TEST(torn_journal, loses_what_was_committed_in_the_usual_order_of_writes) {
  image disk = make_image("-b 4096", "16M");
  {
    mounted fs{disk};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    busy(fs.task());
    store(fs.device(), disk);
  }
  const std::uint64_t at = first_journal_block(disk) * 4096;
  auto moved = disk.peek_value<jbd2::journal_superblock>(at);
  const std::uint32_t start = moved.s_start;
  ASSERT_NE(start, 0u);
  // The next transaction of the log, as its first commit block says.
  for (std::uint32_t block = start;; ++block) {
    const auto header = disk.peek_value<jbd2::journal_header>(at + block * std::uint64_t{4096});
    if (header.h_magic != jbd2::journal_magic || header.h_blocktype != jbd2::commit_block) continue;
    moved.s_sequence = header.h_sequence + 1;
    moved.s_start = block + 1;
    break;
  }
  const be32 sum{jbd2::superblock_checksum(moved)};
  image theirs = copy_of(disk, "e2fsck");
  for (const image* i : {&disk, &theirs}) i->poke_value(at + offsetof(jbd2::journal_superblock, s_checksum), sum);

  const auto judged = run_command({"e2fsck", "-p", theirs.path()});
  EXPECT_EQ(judged.status, 1) << judged.output;
  EXPECT_TRUE(e2fsck_clean(theirs.path())) << "it says that all is well";
  {
    mounted fs{theirs, "ro"};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    EXPECT_FALSE(fs.task().stat("/new-1/moved/file-4").has_value()) << "and what was synced is gone";
  }
  recover_by_us(disk);
  mounted fs{disk, "ro"};
  EXPECT_TRUE(read_file(fs.task(), "/new-1/moved/file-4") == contents_of(4));
}

// ---- a super block that a crash has torn ------------------------------------------------------------------------------------------------------

struct torn_super_block : testing::Test {
  image disk = make_image("-b 4096", "16M");
  void be_busy_and_cut() const {
    mounted fs{disk};
    busy(fs.task());
    store(fs.device(), disk);
  }
  void expect_the_tree() const {
    mounted fs{disk, "ro"};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    EXPECT_TRUE(read_file(fs.task(), "/new-1/moved/file-4") == contents_of(4));
  }
};

// Of the flag and the checksum one is of before and one of after: when a mount began, and when it ended; and so with the mark of an error.
TEST_F(torn_super_block, is_made_whole_where_one_word_and_the_checksum_differ) {
  be_busy_and_cut();
  recover_by_us(disk);
  const auto without = super_block_of(disk);
  auto with_flag = without, with_mark = without;
  with_flag.s_feature_incompat = with_flag.s_feature_incompat | incompat_recover;
  with_flag.s_checksum = super_block_checksum(with_flag);
  with_mark.s_state = with_mark.s_state | error_fs;
  with_mark.s_checksum = super_block_checksum(with_mark);
  const auto mixed = [](ext4_super_block body, const ext4_super_block& sum) {
    body.s_checksum = sum.s_checksum;
    return body;
  };
  for (const ext4_super_block& torn :
       {mixed(with_flag, without), mixed(without, with_flag), mixed(with_mark, without), mixed(without, with_mark)}) {
    const image one = copy_of(disk, "torn");
    one.poke_value(super_offset, torn);
    ASSERT_FALSE(e2fsck_clean(one.path()));
    mounted fs{one};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    EXPECT_THAT(fs.log(), HasSubstr("torn by a crash"));
    EXPECT_TRUE(read_file(fs.task(), "/new-1/moved/file-4") == contents_of(4));
    ASSERT_TRUE(fs.umount());
    store(fs.device(), one);
    const auto mended = super_block_of(one);
    EXPECT_EQ(mended.s_checksum, super_block_checksum(mended));
    EXPECT_EQ(mended.s_feature_incompat & incompat_recover, 0u);
  }
}

// On its way home while the log still has it: lines of both ages.
TEST_F(torn_super_block, is_taken_from_the_log) {
  {
    mounted fs{disk};
    write_file(fs.task(), "/open", "x");
    (void)fs.task().open("/open", O_RDONLY).value();
    ASSERT_TRUE(fs.task().unlink("/open"));  // the head of the orphan list is in the super block
    busy(fs.task());
    store(fs.device(), disk);
  }
  for (const std::uint64_t line : {0u, 3u, 15u}) {
    const image one = copy_of(disk, "torn");
    const std::uint64_t at = super_offset + line * 64;
    std::vector<std::byte> bytes = one.bytes(at, 64);
    bytes[line == 15 ? 60 : 0x0C] ^= std::byte{0x5A};
    one.poke(at, bytes);
    ASSERT_FALSE(e2fsck_clean(one.path())) << line;
    {
      mounted fs{one, "ro"};
      EXPECT_TRUE(fs.ok()) << fs.failure();
    }
    mounted fs{one};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    EXPECT_THAT(fs.log(), HasSubstr("torn by a crash"));
    EXPECT_TRUE(read_file(fs.task(), "/new-1/moved/file-4") == contents_of(4));
    fs.umount_and_check(one);
  }
}

TEST_F(torn_super_block, is_refused_unchanged_where_the_log_has_none) {
  be_busy_and_cut();
  recover_by_us(disk);
  disk.poke_value(super_offset + 0x0C, std::uint32_t{12345});
  const auto before = disk.bytes();
  mounted fs{disk};
  EXPECT_THAT(fs.failure(), HasSubstr("the super block has checksum"));
  store(fs.device(), disk);
  EXPECT_EQ(disk.bytes(), before);
}

}  // namespace
}  // namespace xip::ext4lite::test
