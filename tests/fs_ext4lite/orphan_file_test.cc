// The orphan file: a slot for each orphan, on the medium as Linux and e2fsck expect it, whoever left it and whoever finishes it.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <xip/base/crc.h>

#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/loop_mount.h"
#include "fs_ext4lite/orphans.h"
#include "fs_ext4lite/replay.h"
#include "fs_ext4lite/super.h"

namespace xip::ext4lite::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::uint32_t file_ino = 12;  // the first that mke2fs makes

[[nodiscard]] bool is_present(const image& i) { return (super_block_of(i).s_feature_ro_compat & ro_compat_orphan_present) != 0; }

// As mke2fs places it: block by block, one behind the other.
struct orphan_blocks {
  explicit orphan_blocks(const image& from) : size{1024u << super_block_of(from).s_log_block_size} {
    std::string said = debugfs(from.path(), fmt::format("bmap <{}> 0", file_ino));
    while (said.ends_with('\n')) said.pop_back();
    first = std::strtoull(said.c_str() + (said.rfind('\n') + 1), nullptr, 10);
    const std::string inode = debugfs(from.path(), fmt::format("stat <{}>", file_ino));
    const std::string word = " Size: ";
    bytes = std::strtoull(inode.c_str() + inode.find(word) + word.size(), nullptr, 10);
  }
  std::uint64_t size;
  std::uint64_t first;
  std::uint64_t bytes;
};

// The numbers in the file, with every block's tail checked.
[[nodiscard]] std::vector<std::uint32_t> filed_in(const image& i) {
  const orphan_blocks where{i};
  const ext4_super_block es = super_block_of(i);
  std::uint32_t seed = crc32c(~0u, std::as_bytes(std::span{es.s_uuid}));
  for (const le32 part : {le32{file_ino}, le32{0}}) seed = crc32c(seed, std::as_bytes(std::span{&part, 1}));  // its generation is 0
  std::vector<std::uint32_t> numbers;
  for (std::uint64_t at = 0; at < where.bytes; at += where.size) {
    const le64 block{where.first + at / where.size};
    const std::vector<std::byte> data = i.bytes(block * where.size, where.size);
    std::vector<le32> words(where.size / sizeof(le32));
    std::memcpy(static_cast<void*>(words.data()), data.data(), data.size());
    EXPECT_EQ(words[words.size() - 2], orphan_block_magic);
    if ((es.s_feature_ro_compat & ro_compat_metadata_csum) != 0) {
      const std::uint32_t sum = crc32c(crc32c(seed, std::as_bytes(std::span{&block, 1})), std::span{data}.first(where.size - 8));
      EXPECT_EQ(words.back(), sum) << "block " << block.load();
    }
    std::ranges::copy_if(words.begin(), words.end() - 2, std::back_inserter(numbers), [](const le32& w) { return w != 0; });
  }
  return numbers;
}

// What the image holds when the mount is cut off now: its log is brought home by e2fsck, which may finish orphans, but leaves what is written of them.
void cut_off(bare_mount& m, const image& to) {
  ASSERT_TRUE(force_commit(m.sb()));
  store(m.device(), to);
  if (needs_recovery(to)) (void)run_command({"e2fsck", "-E", "journal_only", "-y", to.path()});
}

void add(bare_mount& m, ext4_inode_info& i) {
  handle h = *journal_start(m.sb(), credits_orphan + credits_inode);
  i.i_nlink = 0;
  EXPECT_TRUE(orphan_add(h, i));
  EXPECT_TRUE(mark_inode_dirty(h, i));
}

// ---- slots -------------------------------------------------------------------------------------------------------------------------------

class orphan_file_slots : public testing::TestWithParam<const char*> {
 protected:
  image disk = make_image(fmt::format("{} -N 400 -E orphan_file_size=1", GetParam()), "32M");
  image copy = copy_of(disk, "cut");
};

TEST_P(orphan_file_slots, are_taken_and_given_back) {
  bare_mount m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  ext4_inode_info& a = make_file(m);
  ext4_inode_info& b = make_file(m);
  ext4_inode_info& c = make_file(m);
  cut_off(m, copy);
  EXPECT_FALSE(is_present(copy)) << "nothing has a slot yet";
  for (ext4_inode_info* i : {&a, &b, &c}) add(m, *i);
  cut_off(m, copy);
  EXPECT_THAT(filed_in(copy), ElementsAre(13, 14, 15));
  EXPECT_TRUE(is_present(copy));
  EXPECT_EQ(super_block_of(copy).s_last_orphan, 0u);
  remove(m, b);
  cut_off(m, copy);
  EXPECT_THAT(filed_in(copy), ElementsAre(13, 15));
  add(m, b);
  add(m, b);
  cut_off(m, copy);
  EXPECT_THAT(filed_in(copy), ElementsAre(13, 14, 15)) << "the slot that was free; it was there already";
  for (ext4_inode_info* i : {&a, &b, &c}) vfs::iput(i);
  cut_off(m, copy);
  EXPECT_THAT(filed_in(copy), IsEmpty());
  m.unmount_and_check(disk);
  EXPECT_FALSE(is_present(disk));
}

class orphan_file_full : public orphan_file_slots {};

// What finds no slot goes onto the list, and both are finished.
TEST_P(orphan_file_full, leaves_the_list) {
  constexpr std::size_t slots = (1024 - sizeof(ext4_orphan_block_tail)) / sizeof(le32);
  std::int64_t free_inodes = 0;
  {
    bare_mount m{disk};
    ASSERT_TRUE(m.ok()) << m.failure();
    free_inodes = m.sb().s_freeinodes;
    std::vector<ext4_inode_info*> all;
    for (std::size_t i = 0; i < slots + 3; ++i) add(m, *all.emplace_back(&make_file(m)));
    cut_off(m, copy);
    EXPECT_EQ(filed_in(copy).size(), slots);
    EXPECT_EQ(super_block_copy(m.sb()).s_last_orphan, all.back()->i_ino.value());
    remove(m, *all[7]);
    remove(m, *all[slots + 1]);
    add(m, *all[slots + 1]);
    cut_off(m, copy);
    EXPECT_THAT(filed_in(copy), testing::Contains(all[slots + 1]->i_ino.value())) << "a slot was free again";
    add(m, *all[7]);
    EXPECT_EQ(super_block_copy(m.sb()).s_last_orphan, all[7]->i_ino.value());
    ASSERT_TRUE(force_commit(m.sb()));
    store(m.device(), copy);
    for (ext4_inode_info* i : all) vfs::iput(i);
    EXPECT_EQ(m.sb().s_freeinodes, free_inodes);
    m.unmount_and_check(disk);
  }
  bare_mount m{copy};
  ASSERT_TRUE(m.ok()) << m.failure();
  EXPECT_THAT(m.log(), HasSubstr(fmt::format("{} orphan inodes cleaned up", slots + 3)));
  m.unmount_and_check(copy);
  EXPECT_FALSE(is_present(copy));
  EXPECT_THAT(filed_in(copy), IsEmpty());
}

// An error keeps an inode from being finished: it keeps its slot, and the mark stays.
TEST_P(orphan_file_slots, that_are_left_at_the_end_are_found_later) {
  {
    bare_mount m{disk};
    ASSERT_TRUE(m.ok()) << m.failure();
    ext4_inode_info& a = make_file(m);
    add(m, a);
    m.sb().s_flags |= vfs::sb_rdonly;
    vfs::iput(&a);
    m.sb().s_flags &= ~vfs::sb_rdonly;
    EXPECT_TRUE(m.unmount());
    store(m.device(), disk);
  }
  EXPECT_TRUE(is_present(disk));
  EXPECT_THAT(filed_in(disk), ElementsAre(13));
  bare_mount m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  EXPECT_THAT(m.log(), HasSubstr("1 orphan inodes cleaned up"));
  m.unmount_and_check(disk);
  EXPECT_FALSE(is_present(disk));
}

INSTANTIATE_TEST_SUITE_P(images, orphan_file_slots,
                         testing::Values("-b 1024 -O orphan_file", "-b 4096 -O orphan_file", "-b 1024 -O orphan_file,^metadata_csum",
                                         "-b 4096 -O orphan_file,^metadata_csum"));

INSTANTIATE_TEST_SUITE_P(images, orphan_file_full, testing::Values("-b 1024 -O orphan_file", "-b 1024 -O orphan_file,^metadata_csum"));

// e2fsprogs takes an orphan file for one of journals only, and says so; the rest of the image is to be right all the same.
TEST(orphan_file_without_a_journal, is_marked_before_a_slot_is_taken) {
  const image disk = make_image("-b 1024 -O orphan_file -E orphan_file_size=1");
  ASSERT_EQ(run_command({"tune2fs", "-O", "^has_journal", disk.path()}).status, 0);
  const image copy = copy_of(disk, "cut");
  {
    bare_mount m{disk};
    ASSERT_TRUE(m.ok()) << m.failure();
    ext4_inode_info& a = make_file(m);
    store(m.device(), copy);
    EXPECT_TRUE(is_present(copy)) << "since the first change";
    add(m, a);
    cut_off(m, copy);
    EXPECT_THAT(filed_in(copy), ElementsAre(13));
    vfs::iput(&a);
    EXPECT_TRUE(m.unmount());
    store(m.device(), disk);
  }
  std::string said;
  (void)e2fsck_clean(disk.path(), &said);
  EXPECT_THAT(said, Not(HasSubstr("rphan_present"))) << said;
  EXPECT_THAT(said, Not(HasSubstr("not clean"))) << said;
  EXPECT_THAT(filed_in(disk), IsEmpty());
  bare_mount m{copy};
  ASSERT_TRUE(m.ok()) << m.failure();
  EXPECT_THAT(m.log(), HasSubstr("1 orphan inodes cleaned up"));
}

// ---- mounts ------------------------------------------------------------------------------------------------------------------------------

TEST(orphan_present, is_taken_away_by_a_mount_for_writing_that_changes_nothing_else) {
  const image disk = make_image("-b 4096 -O orphan_file", "32M");
  (void)debugfs(disk.path(), "feature orphan_present", true);
  ASSERT_TRUE(is_present(disk));
  const std::vector<std::byte> before = disk.bytes();
  {
    bare_mount reader{disk, vfs::sb_rdonly};
    ASSERT_TRUE(reader.ok()) << reader.failure();
    EXPECT_TRUE(reader.unmount());
    store(reader.device(), disk);
  }
  EXPECT_EQ(disk.bytes(), before);
  mounted fs{disk};
  fs.umount_and_check(disk);
  EXPECT_FALSE(is_present(disk));
}

TEST(orphan_file_of_an_image, that_is_only_mounted_stays_as_it_is) {
  const image disk = make_image("-b 1024 -O orphan_file", "32M");
  const std::vector<std::byte> before = disk.bytes();
  for (const char* options : {"rw", "ro"}) {
    mounted fs{disk, options};
    fs.umount_and_check(disk);
    EXPECT_EQ(disk.bytes(), before) << options;
  }
}

TEST(orphan_file_of_an_image, has_no_name) {
  const image disk = make_image("-b 1024 -O orphan_file", "32M");
  (void)debugfs(disk.path(), "link <12> taken", true);
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  EXPECT_EQ(fs.task().stat("/taken").error(), EUCLEAN);
  EXPECT_THAT(fs.log(), HasSubstr("a name stands for inode 12"));
}

// ---- what others left, and what others finish ------------------------------------------------------------------------------------------------

class orphan_file_exchange : public with_linux {
 protected:
  orphan_file_exchange() : with_linux{"64M"} {}

  // Cut off with files open that have no name, and one that is being cut.
  void leave_ours() const {
    mounted fs{disk};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    vfs::task& t = fs.task();
    for (int i = 0; i < 20; ++i) {
      const std::string name = fmt::format("/open-{}", i);
      write_file(t, name, pattern(5000u * static_cast<unsigned>(i)));
      (void)t.open(name, O_RDWR).value();
      ASSERT_TRUE(t.unlink(name));
    }
    write_file(t, "/kept", pattern(3000));
    const int top = t.open("/", O_RDONLY | O_DIRECTORY).value();
    ASSERT_TRUE(t.syncfs(top));
    store(fs.device(), disk);
  }
  void leave_theirs() const {
    constexpr unsigned long ioc_shutdown = _IOR('X', 125, std::uint32_t);  // EXT4_IOC_SHUTDOWN
    std::uint32_t flush_log = 1;
    std::vector<int> held;
    const loop_mount there{disk};
    for (int i = 0; i < 20; ++i) {
      const auto name = there.path(fmt::format("open-{}", i));
      std::ofstream{name} << pattern(5000u * static_cast<unsigned>(i));
      held.push_back(::open(name.c_str(), O_RDWR | O_CLOEXEC));
      std::filesystem::remove(name);
    }
    std::ofstream{there.path("kept")} << pattern(3000);
    ::sync();
    const int top = ::open(there.path("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    EXPECT_EQ(::ioctl(top, ioc_shutdown, &flush_log), 0);
    held.push_back(top);
    for (const int fd : held) ::close(fd);
  }
  [[nodiscard]] std::uint32_t free_inodes() const { return super_block_of(disk).s_free_inodes_count; }

  void expect_finished() const {
    check();
    EXPECT_FALSE(is_present(disk));
    EXPECT_THAT(filed_in(disk), IsEmpty());
    EXPECT_EQ(free_inodes(), free_before_ - 1);  // "kept"
    mounted fs{disk, "ro"};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    EXPECT_EQ(read_file(fs.task(), "/kept"), pattern(3000));
  }

  const std::uint32_t free_before_ = free_inodes();
};

TEST_P(orphan_file_exchange, linux_finishes_ours) {
  leave_ours();
  ASSERT_TRUE(needs_recovery(disk));
  {
    const loop_mount theirs{disk};
    ASSERT_TRUE(theirs.ok());
  }
  expect_finished();
}

TEST_P(orphan_file_exchange, e2fsck_finishes_ours) {
  leave_ours();
  const auto judged = run_command({"e2fsck", "-fp", disk.path()});
  EXPECT_EQ(judged.status, 1) << judged.output;
  EXPECT_THAT(judged.output, HasSubstr("Clearing orphaned inode"));
  EXPECT_THAT(judged.output, Not(HasSubstr("differences"))) << judged.output;
  expect_finished();
}

// Without -f it may leave the numbers of what it has deleted in the file.
TEST_P(orphan_file_exchange, we_finish_what_e2fsck_did_not) {
  leave_ours();
  const auto judged = run_command({"e2fsck", "-p", disk.path()});
  EXPECT_LE(judged.status, 1) << judged.output;
  const bool left = !filed_in(disk).empty();
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  EXPECT_EQ(fs.log().find("which is free: it is taken out") != std::string::npos, left) << fs.log();
  fs.umount_and_check(disk);
  expect_finished();
}

TEST_P(orphan_file_exchange, we_finish_ours) {
  leave_ours();
  {
    const std::vector<std::byte> before = disk.bytes();
    mounted reader{disk, "ro"};
    ASSERT_TRUE(reader.ok()) << reader.failure();
    EXPECT_TRUE(reader.umount());
    store(reader.device(), disk);
    EXPECT_EQ(disk.bytes(), before);
  }
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  EXPECT_THAT(fs.log(), HasSubstr("20 orphan inodes cleaned up"));
  fs.umount_and_check(disk);
  expect_finished();
}

TEST_P(orphan_file_exchange, we_finish_those_of_linux) {
  leave_theirs();
  {
    const image replayed = copy_of(disk, "replayed");
    (void)run_command({"e2fsck", "-E", "journal_only", "-y", replayed.path()});
    ASSERT_EQ(filed_in(replayed).size(), 20u) << "Linux has filed them";
  }
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  EXPECT_THAT(fs.log(), HasSubstr("20 orphan inodes cleaned up"));
  fs.umount_and_check(disk);
  expect_finished();
}

INSTANTIATE_TEST_SUITE_P(images, orphan_file_exchange,
                         testing::Values("-b 4096 -O orphan_file", "-b 1024 -O orphan_file", "-b 4096 -O orphan_file,^metadata_csum",
                                         "-b 1024 -O orphan_file,^metadata_csum"));

}  // namespace
}  // namespace xip::ext4lite::test
