// Handles and commits: joining, credits, what is durable when, errors=.
#include <functional>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/base/config.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/super.h"

namespace xip::ext4lite::test {
namespace {

using testing::HasSubstr;

// Each of these holds with a log and without one.
struct with_and_without_a_log : testing::TestWithParam<bool> {
  [[nodiscard]] static bool has_log() { return GetParam(); }
  [[nodiscard]] static image make(const std::string& options, std::string_view size) {
    return make_image(options + (has_log() ? " -O has_journal -J size=1" : " -O ^has_journal"), size);
  }
};

[[nodiscard]] std::string name_of_log(const testing::TestParamInfo<bool>& each) { return each.param ? "with_a_log" : "without_a_log"; }

struct Journal : with_and_without_a_log {
  image disk = make("-b 1024", "8M");
  bare_mount m{disk};
  void SetUp() override { ASSERT_TRUE(m.ok()) << m.failure(); }

  // debugfs on what would be there after a crash now, the log replayed.
  [[nodiscard]] std::string root_after_crash() {
    store(m.device(), disk);
    if (has_log()) {
      EXPECT_EQ(run_command({"e2fsck", "-y", "-E", "journal_only", disk.path()}).status, 0);
    }
    return debugfs(disk.path(), "stat <2>");
  }
};

INSTANTIATE_TEST_SUITE_P(Formats, Journal, testing::Bool(), name_of_log);

TEST_P(Journal, AStartInsideAnOpenHandleJoinsIt) {
  handle outer = *journal_start(m.sb(), 4);
  EXPECT_EQ(current().journal_info, &outer);
  {
    handle inner = *journal_start(m.sb(), 2);
    EXPECT_EQ(current().journal_info, &outer);
    EXPECT_EQ(inner.tid(), outer.tid());
    EXPECT_EQ(inner.credits_left(), 4u);
  }
  EXPECT_EQ(current().journal_info, &outer);
  handle greedy = *journal_start(m.sb(), 9);
  EXPECT_EQ(outer.credits_left(), 9u) << "the outer one gets the difference";
  greedy.stop();
  outer.stop();
  EXPECT_EQ(current().journal_info, nullptr);
}

TEST_P(Journal, AChangeIsDurableAfterItsCommitOnly) {
  const std::uint64_t tid = [&] {
    handle h = *journal_start(m.sb(), 1);
    m.root().i_uid = 4242;
    EXPECT_TRUE(mark_inode_dirty(h, m.root()));
    return h.tid();
  }();
  EXPECT_EQ(m.root().i_sync_tid, tid);
  EXPECT_EQ(m.root().i_datasync_tid, 0u);
  EXPECT_LT(m.sb().s_commit_sequence, tid);
  EXPECT_THAT(root_after_crash(), testing::Not(HasSubstr("User:  4242")));
  ASSERT_TRUE(commit_tid(m.sb(), tid));
  EXPECT_EQ(m.sb().s_commit_sequence, tid);
  EXPECT_THAT(root_after_crash(), HasSubstr("User:  4242"));
  const std::uint64_t flushes = m.device().stats().flushes;
  ASSERT_TRUE(commit_tid(m.sb(), tid));
  EXPECT_EQ(m.device().stats().flushes, flushes) << "durable already";
}

TEST_P(Journal, AReadOnlyMountStartsNoHandle) {
  m.sb().s_flags |= vfs::sb_rdonly;
  EXPECT_EQ(journal_start(m.sb(), 1).error(), EROFS);
  EXPECT_FALSE(m.sb().s_written);
}

// The same on a device that can be made to fail.
struct FaultyJournal : with_and_without_a_log {
  image disk = make("-b 1024 -g 2048", "8M");
  std::unique_ptr<dev::device> below = load(disk);
  std::unique_ptr<dev::faulty_device> device = dev::make_faulty(*below);
  bare_mount m{*device};
  void SetUp() override { ASSERT_TRUE(m.ok()) << m.failure(); }
  void is_not_forgotten(dev::fault_rule::what kind);
};

INSTANTIATE_TEST_SUITE_P(Formats, FaultyJournal, testing::Bool(), name_of_log);

// Marks the root dirty under a handle of its own; the handle's tid.
std::uint64_t change_root(bare_mount& m) {
  handle h = *journal_start(m.sb(), 1);
  EXPECT_TRUE(mark_inode_dirty(h, m.root()));
  return h.tid();
}

// A device that forgets what it could not write, and then works again, must not make a later fsync succeed.
void FaultyJournal::is_not_forgotten(dev::fault_rule::what kind) {
  (void)change_root(m);
  const std::uint32_t rule = device->add({.kind = kind});
  const std::uint64_t tid = change_root(m);
  EXPECT_EQ(commit_tid(m.sb(), tid).error(), EIO);
  device->remove(rule);
  EXPECT_EQ(commit_tid(m.sb(), tid).error(), EIO) << "not durable, and says so";
  EXPECT_EQ(force_commit(m.sb()).error(), EIO);
  EXPECT_EQ(journal_start(m.sb(), 1).error(), EROFS);
  EXPECT_EQ(m.unmount().error(), EIO);
  EXPECT_THAT(m.log(), HasSubstr("unmounted with changes lost"));
  store(*below, disk);
  const auto es = disk.peek_value<ext4_super_block>(super_offset);
  EXPECT_TRUE(has_log() ? (es.s_feature_incompat & incompat_recover) != 0 : (es.s_state & valid_fs) == 0)
      << "the next user must look at it";
}

TEST_P(FaultyJournal, AFailedWriteOfACommitIsNotForgotten) { is_not_forgotten(dev::fault_rule::what::eio_write); }

TEST_P(FaultyJournal, AFailedFlushOfACommitIsNotForgotten) { is_not_forgotten(dev::fault_rule::what::eio_flush); }

TEST_P(Journal, AChangeThatFailsInItsMiddleEndsAllChanges) {
  EXPECT_TRUE(whole_or_abort(m.sb(), {}));
  EXPECT_EQ(whole_or_abort(m.sb(), fail(EUCLEAN)).error(), EUCLEAN) << "was reported where it was found";
  EXPECT_TRUE(journal_start(m.sb(), 1));
  EXPECT_EQ(whole_or_abort(m.sb(), fail(ENOMEM)).error(), ENOMEM);
  EXPECT_EQ(journal_start(m.sb(), 1).error(), EROFS);
}

TEST_P(FaultyJournal, WhatWasFreedStaysPendingWhenTheCommitFails) {
  const pblk_t at{2900};
  handle h = *journal_start(m.sb(), 4);
  const auto got = alloc_blocks(h, m.root(), at, 4);
  ASSERT_TRUE(got);
  ASSERT_TRUE(free_blocks(h, m.root(), got->first, 4, false));
  h.stop();
  const std::uint32_t rule = device->add({.kind = dev::fault_rule::what::eio_flush});
  EXPECT_EQ(force_commit(m.sb()).error(), EIO);
  device->remove(rule);
  EXPECT_EQ(force_commit(m.sb()).error(), EIO);
  EXPECT_EQ(m.sb().s_pending_blocks, 4);
}

// Requests as letters: w a write, F a flush of the device.
struct request_log final : dev::recorder {
  std::string text;
  void on_store(std::uint64_t, std::span<const std::byte>, bool) noexcept override {}
  void on_flush(std::uint64_t, std::size_t) noexcept override {}
  void on_fence() noexcept override {}
  void on_write(std::uint64_t, std::span<const std::byte>) noexcept override { text += 'w'; }
  void on_flush_cache() noexcept override {
    text += 'F';
    if (then) std::exchange(then, nullptr)();
  }
  std::function<void()> then;  // with the next flush, once
};

// What makes data visible goes to the medium after the data: the device is flushed before any block of metadata is written.
TEST(JournalOrder, DataIsDurableBeforeTheMetadataThatShowsIt) {
  const image disk = make_image("-b 1024 -O ^has_journal", "4M");
  const std::unique_ptr<dev::device> below = load(disk);
  request_log log;
  const auto device = dev::make_recording(*below, log);
  bare_mount m{*device};
  ASSERT_TRUE(m.ok()) << m.failure();
  (void)change_root(m);
  ASSERT_TRUE(force_commit(m.sb()));
  (void)change_root(m);
  log.text.clear();
  ASSERT_TRUE(force_commit(m.sb()));
  EXPECT_THAT(log.text, testing::MatchesRegex("Fw+F"));
}

// The same with a log: its blocks go with the data, and the commit block behind them alone.
TEST(JournalOrder, DataAndTheLogAreDurableBeforeTheCommitBlock) {
  const image disk = make_image("-b 1024", "8M");
  const std::unique_ptr<dev::device> below = load(disk);
  request_log log;
  const auto device = dev::make_recording(*below, log);
  bare_mount m{*device};
  ASSERT_TRUE(m.ok()) << m.failure();
  (void)change_root(m);
  ASSERT_TRUE(force_commit(m.sb()));
  (void)change_root(m);
  log.text.clear();
  ASSERT_TRUE(force_commit(m.sb()));
  EXPECT_THAT(log.text, testing::MatchesRegex("w+FwF"));
}

// What the next transaction frees while this one is on its way belongs to nobody before the next one is durable.
TEST(JournalOrder, WhatIsFreedDuringACommitWaitsForTheNext) {
  const image disk = make_image("-b 1024 -g 1024", "8M");
  const std::unique_ptr<dev::device> below = load(disk);
  request_log log;
  const auto device = dev::make_recording(*below, log);
  bare_mount m{*device};
  ASSERT_TRUE(m.ok()) << m.failure();
  const auto alloc = [&](pblk_t goal) {
    handle h = *journal_start(m.sb(), 4);
    return alloc_blocks(h, m.root(), goal, 8).value().first;
  };
  const auto free = [&](pblk_t first) {
    handle h = *journal_start(m.sb(), 4);
    EXPECT_TRUE(free_blocks(h, m.root(), first, 8, false));
  };
  const pblk_t early = alloc(first_block_of(m.sb(), group_t{1}) + 700), late = alloc(early + 8);
  ASSERT_TRUE(force_commit(m.sb()));
  free(early);
  log.then = [&] { free(late); };
  ASSERT_TRUE(force_commit(m.sb()));
  ASSERT_FALSE(log.then) << "no flush";
  EXPECT_EQ(m.sb().s_pending_blocks, 8);
  EXPECT_EQ(alloc(early), early);
  EXPECT_NE(alloc(late), late);
  ASSERT_TRUE(force_commit(m.sb()));
  EXPECT_EQ(m.sb().s_pending_blocks, 0);
  EXPECT_EQ(alloc(late), late);
}

TEST_P(FaultyJournal, WithoutItsSuperBlockNothingIsWritten) {
  const std::vector<std::byte> before = disk.bytes(), super_before = disk.bytes(super_offset, super_size);
  device->add({.kind = dev::fault_rule::what::eio_write, .offset = super_offset, .bytes = super_size});
  {
    handle h = *journal_start(m.sb(), 1);
    EXPECT_EQ(mark_inode_dirty(h, m.root()).error(), EIO);
  }
  EXPECT_THAT(m.log(), HasSubstr("cannot write the super block"));
  EXPECT_TRUE(m.unmount());
  store(*below, disk);
  if (!has_log()) {
    EXPECT_EQ(disk.bytes(), before);
  }
  // An empty log may have got newer features: its super block is not looked at before the file system's says that it counts.
  EXPECT_EQ(disk.bytes(super_offset, super_size), super_before);
  EXPECT_TRUE(e2fsck_clean(disk.path()));
}

TEST_P(FaultyJournal, AGroupWhoseBitmapCannotBeReadIsLeftAlone) {
  const std::uint64_t bitmap = bytes_of(block_bitmap_of(m.sb(), group_t{0}), m.sb().s_blocksize_bits);
  device->add({.kind = dev::fault_rule::what::eio_read, .offset = bitmap, .bytes = 1024});
  handle h = *journal_start(m.sb(), 4);
  const auto got = alloc_blocks(h, m.root(), first_block_of(m.sb(), group_t{0}) + 500, 4);
  ASSERT_TRUE(got);
  EXPECT_NE(group_of(m.sb(), got->first), group_t{0});
  EXPECT_THAT(m.log(), HasSubstr("group 0: block bitmap in block"));
}

#if XIP_LOCKDEP
TEST_P(Journal, AChangeOutsideOfAHandleIsABug) {
  const dev::buffer_ref found = *m.sb().s_buffers->read(pblk_t{block_bitmap_of(m.sb(), group_t{0})});
  EXPECT_DEATH(
      {
        found->writable()[100] ^= std::byte{1};
        (void)m.unmount();
      },
      "changed_while_clean");
}

TEST_P(Journal, DirtyingMoreThanTheCreditsIsABug) {
  handle h = *journal_start(m.sb(), 1);
  ASSERT_TRUE(mark_inode_dirty(h, m.root()));
  ASSERT_TRUE(mark_inode_dirty(h, m.root())) << "the same buffer costs nothing more";
  EXPECT_EQ(h.credits_left(), 0u);
  EXPECT_DEATH((void)dirty_metadata(h, *m.sb().s_sbh), "");
  ASSERT_TRUE(h.extend(1));
  EXPECT_TRUE(dirty_metadata(h, *m.sb().s_sbh));
}
#endif

TEST(JournalErrors, AreRecordedWithTheNextWrite) {
  const image disk = make_image("-b 4096 -O ^has_journal");
  bare_mount m{disk, 0, "errors=continue"};
  ASSERT_TRUE(m.ok()) << m.failure();
  (void)change_root(m);
  EXPECT_EQ(corrupted(m.root(), "test").error(), EUCLEAN);
  EXPECT_EQ(corrupted(m.sb(), "test").error(), EUCLEAN);
  EXPECT_TRUE(m.unmount());
  store(m.device(), disk);
  const auto es = disk.peek_value<ext4_super_block>(super_offset);
  EXPECT_NE(es.s_state & error_fs, 0);
  EXPECT_EQ(es.s_state & valid_fs, 0);
  EXPECT_EQ(es.s_error_count, 2u);
  EXPECT_EQ(es.s_first_error_ino, 2u);
  EXPECT_EQ(es.s_last_error_ino, 0u);
  EXPECT_STREQ(es.s_first_error_func, "TestBody");
  EXPECT_THAT(m.log(), HasSubstr("inode 2: test"));
}

TEST(JournalErrors, AnImageThatWasOnlyReadIsLeftAlone) {
  const image disk = make_image();
  const auto before = disk.bytes();
  bare_mount m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  EXPECT_EQ(corrupted(m.root(), "test").error(), EUCLEAN);
  EXPECT_TRUE(m.unmount());
  store(m.device(), disk);
  EXPECT_EQ(disk.bytes(), before);
}

TEST(JournalErrors, RemountRoAndPanicStopChanges) {
  const image disk = make_image();
  bare_mount ro{disk, 0, "errors=remount-ro"};
  ASSERT_TRUE(ro.ok());
  EXPECT_EQ(corrupted(ro.root(), "test").error(), EUCLEAN);
  EXPECT_EQ(journal_start(ro.sb(), 1).error(), EROFS);
  bare_mount panic{disk, 0, "errors=panic"};
  ASSERT_TRUE(panic.ok());
  EXPECT_EQ(corrupted(panic.root(), "test").error(), EUCLEAN);
  EXPECT_EQ(journal_start(panic.sb(), 1).error(), EIO);
}

TEST(JournalErrors, APanicIsRecordedAndNothingElse) {
  const image disk = make_image("-b 4096 -O ^has_journal");
  bare_mount m{disk, 0, "errors=panic"};
  ASSERT_TRUE(m.ok()) << m.failure();
  (void)change_root(m);
  EXPECT_EQ(corrupted(m.root(), "test").error(), EUCLEAN);
  EXPECT_EQ(m.unmount().error(), EIO);
  store(m.device(), disk);
  const auto es = disk.peek_value<ext4_super_block>(super_offset);
  EXPECT_NE(es.s_state & error_fs, 0);
  EXPECT_EQ(es.s_state & valid_fs, 0);
  EXPECT_EQ(es.s_error_count, 1u);
  EXPECT_EQ(es.s_checksum, super_block_checksum(es));
}

// With a journal EXT4_VALID_FS stays: what e2fsck has to look at is said by the mark of errors alone. The journal is not emptied.
TEST(JournalErrors, ArePutIntoTheLogAndIntoTheSuperBlock) {
  const image disk = make_image();
  {
    bare_mount m{disk, 0, "errors=continue"};
    ASSERT_TRUE(m.ok()) << m.failure();
    (void)change_root(m);
    EXPECT_EQ(corrupted(m.root(), "test").error(), EUCLEAN);
    ASSERT_TRUE(force_commit(m.sb()));
    store(m.device(), disk);
    EXPECT_EQ(disk.peek_value<ext4_super_block>(super_offset).s_error_count, 0u) << "it is in the log";
  }
  bare_mount again{disk};
  ASSERT_TRUE(again.ok()) << again.failure();
  EXPECT_TRUE(again.unmount());
  store(again.device(), disk);
  const auto es = disk.peek_value<ext4_super_block>(super_offset);
  EXPECT_EQ(es.s_error_count, 1u);
  EXPECT_EQ(es.s_state & (valid_fs | error_fs), valid_fs | error_fs);
  EXPECT_EQ(es.s_checksum, super_block_checksum(es));
}

TEST(JournalErrors, WhatWasLostIsNotSaidToBeDurable) {
  const image disk = make_image();
  (void)debugfs(disk.path(), "write /etc/hostname bad", true);
  (void)debugfs(disk.path(), "set_inode_field bad mode 0170000", true);
  mounted fs{disk, "errors=remount-ro"};
  const int fd = fs.task().open("/f", O_RDWR | O_CREAT, 0644).value();
  ASSERT_TRUE(fs.task().fsync(fd));
  ASSERT_TRUE(fs.task().write(fd, "lost", 4));
  EXPECT_EQ(fs.task().stat("/bad").error(), EUCLEAN);
  EXPECT_EQ(fs.task().fsync(fd).error(), EROFS);
  EXPECT_EQ(fs.task().syncfs(fd).error(), EROFS);
  ASSERT_TRUE(fs.task().close(fd));
}

TEST(JournalErrors, TheSuperBlockSaysWhatToDo) {
  const image disk = make_image("-b 4096 -e remount-ro");
  bare_mount m{disk};
  ASSERT_TRUE(m.ok());
  EXPECT_EQ(m.sb().s_errors, errors_mode::remount_ro);
}

}  // namespace
}  // namespace xip::ext4lite::test
