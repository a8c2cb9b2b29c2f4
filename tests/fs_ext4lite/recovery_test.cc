// Journals that others have left to be replayed: Linux, shut down in the middle of its work, and debugfs. e2fsck replays a copy of each image, and what we
// make of it must be the same, block by block.
#include <fstream>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/format.h"
#include "fs_ext4lite/loop_mount.h"
#include "fs_ext4lite/replay.h"
#include "jbd2/checksum.h"
#include "jbd2/superblock.h"

namespace xip::ext4lite::test {
namespace {

using testing::HasSubstr;

// BYTES for debugfs to log, in a file beside DISK.
[[nodiscard]] image blocks_of_j(const image& disk, std::size_t bytes) {
  image data{disk.path() + ".data"};
  std::ofstream{data.path()} << std::string(bytes, 'j');
  return data;
}

// ---- Linux ------------------------------------------------------------------------------------------------------------------------------

constexpr unsigned long ioc_shutdown = _IOR('X', 125, std::uint32_t);  // EXT4_IOC_SHUTDOWN
constexpr std::uint32_t flush_log = 1;

class recovery_of_linux : public with_linux {
 protected:
  recovery_of_linux() : with_linux{"64M"} {}

  // WORK(directory) under Linux, all of it committed, but not gone home, when Linux is cut off from the medium.
  template <class Work>
  [[nodiscard]] bool interrupt(Work&& work) const {
    const loop_mount there{disk};
    work(there.path(""));
    ::sync();
    const int fd = ::open(there.path("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool cut = fd >= 0 && ::ioctl(fd, ioc_shutdown, &flush_log) == 0;
    if (fd >= 0) ::close(fd);
    return cut;
  }
  static void make_tree(const std::filesystem::path& top, std::string_view prefix, int count) {
    for (int i = 0; i < count; ++i) {
      const auto directory = top / fmt::format("{}{}", prefix, i % 7);
      std::filesystem::create_directory(directory);
      std::ofstream{directory / fmt::format("file-{}", i)} << std::string(static_cast<std::size_t>(i) * 377 % 9000, 'x');
    }
  }
};

TEST_P(recovery_of_linux, agrees_with_e2fsck) {
  ASSERT_TRUE(interrupt([](const std::filesystem::path& top) {
    make_tree(top, "old-", 60);
    ::sync();
    make_tree(top, "new-", 90);
    std::filesystem::remove_all(top / "old-3");  // revokes
    std::filesystem::rename(top / "old-4", top / "new-1" / "moved");
  }));
  image again = copy_of(disk, "linux");
  compare_with_e2fsck(disk);
  mounted fs{disk, "ro"};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  EXPECT_TRUE(read_file(fs.task(), "/new-6/file-6") == std::string(6 * 377, 'x'));
  EXPECT_TRUE(read_file(fs.task(), "/new-1/moved/file-4") == std::string(4 * 377, 'x'));
  EXPECT_FALSE(fs.task().stat("/old-3").has_value());
  // And Linux, of the same.
  {
    const loop_mount theirs{again};
    EXPECT_TRUE(std::filesystem::exists(theirs.path("new-1/moved/file-4")));
  }
}

TEST_P(recovery_of_linux, finds_what_was_synced_and_frees_what_was_unlinked) {
  int held = -1;
  ASSERT_TRUE(interrupt([&](const std::filesystem::path& top) {
    make_tree(top, "kept-", 20);
    held = ::open((top / "kept-1" / "file-1").c_str(), O_RDONLY | O_CLOEXEC);
    std::filesystem::remove(top / "kept-1" / "file-1");
    ::sync();
    ::close(held);  // it is deleted by now, in the log or beside it
  }));
  recover_by_us(disk);
  mounted fs{disk, "ro"};
  EXPECT_TRUE(read_file(fs.task(), "/kept-2/file-2") == std::string(2 * 377, 'x'));
  EXPECT_FALSE(fs.task().stat("/kept-1/file-1").has_value());
}

TEST_P(recovery_of_linux, leaves_a_read_only_mount_as_it_is) {
  ASSERT_TRUE(interrupt([](const std::filesystem::path& top) { make_tree(top, "new-", 30); }));
  const std::vector<std::byte> before = disk.bytes();
  {
    bare_mount m{disk, vfs::sb_rdonly};
    EXPECT_TRUE(m.ok()) << m.failure();
    EXPECT_THAT(m.log(), HasSubstr("not replayed"));
  }
  bare_mount refused{disk, 0, "noload"};
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(refused.failure(), HasSubstr("can only be read (ro)"));
  EXPECT_EQ(disk.bytes(), before);
}

INSTANTIATE_TEST_SUITE_P(on, recovery_of_linux,
                         testing::Values("-b 4096", "-b 1024", "-b 2048 -O ^64bit", "-b 4096 -O ^metadata_csum",
                                         "-b 1024 -O ^metadata_csum,^64bit", "-b 4096 -O ^extents,^64bit,^flex_bg -J size=8",
                                         "-b 1024 -J size=4 -O ^extent,^64bit"));

// ---- debugfs ----------------------------------------------------------------------------------------------------------------------------

// Lines of debugfs's own.
[[nodiscard]] std::string debugfs_script(const image& i, std::string_view lines) {
  const std::string script = i.path() + ".debugfs";
  std::ofstream{script} << lines;
  auto done = run_command({"debugfs", "-w", "-f", script, i.path()});
  std::filesystem::remove(script);
  return done.output;
}

class recovery_of_debugfs : public testing::TestWithParam<const char*> {};

TEST_P(recovery_of_debugfs, agrees_with_e2fsck) {
  image disk = make_image("-b 4096 -J size=4", "32M");
  const image data = blocks_of_j(disk, 4096 * 6);
  const std::string open = GetParam();
  const std::string said = debugfs_script(
      disk,
      fmt::format("{0}\njw -b 7000-7002,7100,7101,7005 {1}\njc\n{0}\njw -r 7001,7100\njc\n{0}\njw -b 7100 {1}\njc\n", open, data.path()));
  if (!needs_recovery(disk)) GTEST_SKIP() << "this debugfs writes no such journal: " << said;
  compare_with_e2fsck(disk);
  EXPECT_EQ(disk.bytes(7000 * 4096, 1).front(), std::byte{'j'});
  EXPECT_EQ(disk.bytes(7001 * 4096, 1).front(), std::byte{0});
  EXPECT_EQ(disk.bytes(7100 * 4096, 1).front(), std::byte{'j'});
}

INSTANTIATE_TEST_SUITE_P(versions, recovery_of_debugfs, testing::Values("jo", "jo -c -v 2", "jo -c -v 3"));

// ---- damage -------------------------------------------------------------------------------------------------------------------------------

// How the files are had without the journal. A mount that only reads brings nothing home, with and without noload.
void expect_offer(const image& disk, const std::string& refusal) {
  EXPECT_THAT(refusal, HasSubstr("the files can be read as the medium has them (ro,noload)"));
  for (const char* options : {"ro,noload", "ro"}) {
    const std::unique_ptr<dev::device> device = load(disk);
    mounted reader{*device, options};
    ASSERT_TRUE(reader.ok()) << options << ": " << reader.failure();
    EXPECT_EQ(read_file(reader.task(), "/f"), std::string(4096, 'j')) << options;
    EXPECT_TRUE(reader.umount());
    const image seen = copy_of(disk, "seen");
    store(*device, seen);
    EXPECT_EQ(seen.bytes(), disk.bytes()) << options;
  }
}

TEST(damaged_journal, is_refused_for_writing_and_changes_nothing) {
  image disk = make_image("-b 4096 -J size=4", "32M");
  const image data = blocks_of_j(disk, 4096);
  static_cast<void>(debugfs_script(disk, fmt::format("write {0} f\njo -c -v 3\njw -b 7000 {0}\njc\n", data.path())));
  ASSERT_TRUE(needs_recovery(disk));
  const std::uint64_t journal = first_journal_block(disk);
  disk.poke_value((journal + 2) * 4096 + 17, std::byte{1});  // the logged block
  const std::vector<std::byte> before = disk.bytes();
  bare_mount m{disk};
  EXPECT_FALSE(m.ok());
  EXPECT_THAT(m.failure(), HasSubstr("the journal is damaged: the checksum of block 7000"));
  EXPECT_EQ(disk.bytes(), before);
  expect_offer(disk, m.failure());
}

// Nothing has to be brought home, but there is nowhere to write to.
TEST(damaged_journal, that_is_empty_is_refused_for_writing_too) {
  image disk = make_image("-b 4096 -J size=4", "32M");
  const image data = blocks_of_j(disk, 4096);
  static_cast<void>(debugfs_script(disk, fmt::format("write {} f\n", data.path())));
  ASSERT_FALSE(needs_recovery(disk));
  disk.poke_value(first_journal_block(disk) * 4096 + offsetof(jbd2::journal_superblock, s_blocksize), be32{1024});
  bare_mount m{disk};
  EXPECT_FALSE(m.ok());
  EXPECT_THAT(m.failure(), HasSubstr("the journal is damaged: its blocks have 1024 bytes"));
  expect_offer(disk, m.failure());
}

// DISK, changed by LINES of debugfs, needs recovery: refused for writing, and nothing is written.
void expect_refusal(const image& disk, std::string_view lines, const char* why) {
  static_cast<void>(debugfs_script(disk, fmt::format("{}\nfeature needs_recovery\n", lines)));
  ASSERT_TRUE(needs_recovery(disk));
  const std::vector<std::byte> before = disk.bytes();
  bare_mount m{disk};
  EXPECT_FALSE(m.ok());
  EXPECT_THAT(m.failure(), HasSubstr(why));
  EXPECT_EQ(disk.bytes(), before);
}

// A table of the inode, by the name that debugfs has for it.
[[nodiscard]] std::uint32_t table_of(const image& disk, std::string_view inode, std::string_view name) {
  const std::string said = debugfs(disk.path(), fmt::format("stat {}", inode));
  const std::size_t at = said.find(fmt::format("({}):", name));
  return at == std::string::npos ? 0 : static_cast<std::uint32_t>(std::strtoul(said.c_str() + at + name.size() + 3, nullptr, 10));
}

// From one table a million could be made.
TEST(damaged_journal, with_a_table_that_is_there_twice_is_refused) {
  image disk = make_image("-b 1024 -O ^extent,^64bit", "8M");
  const std::uint32_t single = table_of(disk, "<8>", "IND"), twice = table_of(disk, "<8>", "DIND");
  ASSERT_TRUE(single != 0 && twice != 0);
  for (std::uint32_t at = 0; at < 1024; at += sizeof(le32)) disk.poke_value(twice * 1024ull + at, le32{single});
  expect_refusal(disk, "", "its map has block");
}

TEST(damaged_journal, with_a_block_that_is_there_twice_is_refused) {
  image disk = make_image("-b 1024 -O ^extent,^64bit", "8M");
  const std::uint64_t first = first_journal_block(disk);
  expect_refusal(disk, fmt::format("sif <8> block[5] {}", first + 3), "twice");
}

TEST(damaged_journal, that_lies_on_group_descriptors_is_refused) {
  image disk = make_image("-b 1024 -O ^extent,^64bit", "8M");
  expect_refusal(disk, "sif <8> block[5] 2", "a super block or group descriptors are among them");
}

// Most groups have no copy of the super block: a journal may go over their beginnings, and one of 128 MiB does.
TEST(sound_journal, that_goes_over_the_beginnings_of_groups_is_replayed) {
  image disk = make_image("-b 1024 -g 256 -N 64 -m 0 -J size=1", "12M");
  const image data = blocks_of_j(disk, 1024);
  static_cast<void>(debugfs_script(disk, fmt::format("jo\njw -b 9000 {}\njc\n", data.path())));
  ASSERT_TRUE(needs_recovery(disk));
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  fs.umount_and_check(disk);
  EXPECT_EQ(disk.peek_value<std::uint8_t>(9000 * 1024ull), 'j');
}

TEST(damaged_journal, without_its_inode_is_refused) {
  image disk = make_image("-b 4096 -J size=4", "32M");
  const image data = blocks_of_j(disk, 4096);
  static_cast<void>(debugfs_script(disk, fmt::format("jo\njw -b 7000 {}\njc\nsif <8> links_count 0\n", data.path())));
  bare_mount m{disk};
  EXPECT_FALSE(m.ok());
  EXPECT_THAT(m.failure(), HasSubstr("the journal's inode, 8"));
  EXPECT_THAT(m.failure(), HasSubstr("(ro,noload)"));
}

// ---- commits that do not wait for their blocks ------------------------------------------------------------------------------------------------

// Two transactions of Linux's mount option journal_async_commit: block 7000 in the first, 7001 in the second.
class asynchronous_commits : public testing::Test {
 protected:
  void make(std::string_view open) {
    std::ofstream{data.path()} << std::string(4096, 'j');
    static_cast<void>(debugfs_script(disk, fmt::format("{0}\njw -b 7000 {1}\njc\n{0}\njw -b 7001 {1}\njc\n", open, data.path())));
    ASSERT_TRUE(needs_recovery(disk));
    journal = first_journal_block(disk);
    auto jsb = disk.peek_value<jbd2::journal_superblock>(journal * 4096);
    jsb.s_feature_incompat = jsb.s_feature_incompat | jbd2::incompat_async_commit;
    if (jbd2::has_checksums(jsb.s_feature_incompat)) jsb.s_checksum = jbd2::superblock_checksum(jsb);
    disk.poke_value(journal * 4096, jsb);
  }
  // Which of the journal's blocks are commit blocks.
  [[nodiscard]] std::vector<std::uint64_t> commit_blocks() const {
    std::vector<std::uint64_t> found;
    for (std::uint64_t at = 1; at < 16; ++at) {
      const auto header = disk.peek_value<jbd2::journal_header>((journal + at) * 4096);
      if (header.h_magic == jbd2::journal_magic && header.h_blocktype == jbd2::commit_block) found.push_back(at);
    }
    return found;
  }
  [[nodiscard]] std::byte first_byte_of(std::uint64_t block) const { return disk.bytes(block * 4096, 1).front(); }
  void turn_a_bit(std::uint64_t block_of_journal, std::uint64_t offset) const {
    const std::uint64_t byte = (journal + block_of_journal) * 4096 + offset;
    disk.poke_value(byte, disk.bytes(byte, 1).front() ^ std::byte{1});
  }

  image disk = make_image("-b 4096 -J size=4", "32M");
  const image data{disk.path() + ".data"};
  std::uint64_t journal = 0;
};

TEST_F(asynchronous_commits, are_replayed_where_each_block_has_a_checksum) {
  make("jo -c -v 3");
  compare_with_e2fsck(disk);
  EXPECT_EQ(first_byte_of(7000), std::byte{'j'});
  EXPECT_EQ(first_byte_of(7001), std::byte{'j'});
}

// What it commits may be on the medium all the same: it does not count.
TEST_F(asynchronous_commits, end_before_one_that_is_torn) {
  make("jo -c -v 3");
  const std::vector<std::uint64_t> commits = commit_blocks();
  ASSERT_EQ(commits.size(), 2u);
  turn_a_bit(commits.back(), offsetof(jbd2::commit_header, h_commit_sec));
  compare_with_e2fsck(disk);
  EXPECT_EQ(first_byte_of(7000), std::byte{'j'});
  EXPECT_EQ(first_byte_of(7001), std::byte{0});
}

// The commit block has arrived, what it commits has not.
TEST_F(asynchronous_commits, end_before_one_whose_block_is_torn) {
  make("jo -c -v 3");
  const std::vector<std::uint64_t> commits = commit_blocks();
  ASSERT_EQ(commits.size(), 2u);
  turn_a_bit(commits.back() - 1, 2000);
  recover_by_us(disk);
  EXPECT_EQ(first_byte_of(7000), std::byte{'j'});
  EXPECT_EQ(first_byte_of(7001), std::byte{0});
}

// Whether the blocks of a transaction have arrived only a checksum of the first version would say, or none.
TEST_F(asynchronous_commits, are_refused_where_the_blocks_have_none) {
  make("jo");
  const std::vector<std::byte> before = disk.bytes();
  bare_mount m{disk};
  EXPECT_FALSE(m.ok());
  EXPECT_THAT(m.failure(), HasSubstr("the journal's asynchronous commits have checksums of the first version"));
  EXPECT_THAT(m.failure(), HasSubstr("(ro,noload)"));
  EXPECT_EQ(disk.bytes(), before);
}

}  // namespace
}  // namespace xip::ext4lite::test
