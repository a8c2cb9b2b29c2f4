// A commit that meets an error of the medium: the mount can only be read from then on, what was committed before is not lost, and the next mount is
// told why.
#include <array>

#include <fcntl.h>
#include <sys/statvfs.h>

#include "fs_ext4lite/replay.h"
#include "fs_ext4lite/tree.h"
#include "jbd2/format.h"

namespace xip::ext4lite::test {
namespace {

using testing::HasSubstr;
using testing::Not;

// One file is durable, and where there is a log, it is there only. Nothing is committed that nobody asks for.
struct failing_mount {
  explicit failing_mount(const image& disk) : below{load(disk)}, device{dev::make_faulty(*below)}, fs{*device, "commit=3600"} {
    EXPECT_TRUE(fs.ok()) << fs.failure();
    write_file(t(), "/kept", "kept");
    fd = t().open("/kept", O_RDWR).value_or(-1);
    EXPECT_TRUE(t().fsync(fd));
  }
  // The medium takes everything but one flush.
  void fail_a_commit() {
    write_file(t(), "/lost", "lost");
    (void)device->add({.kind = dev::fault_rule::what::eio_flush, .times = 1});
    EXPECT_EQ(errno_of(t().syncfs(fd)), EIO);
  }
  vfs::task& t() { return fs.task(); }

  std::unique_ptr<dev::device> below;
  std::unique_ptr<dev::faulty_device> device;
  mounted fs;
  int fd = -1;
};

// ---- the mount --------------------------------------------------------------------------------------------------------------------------

class failed_commit : public testing::TestWithParam<const char*> {
 protected:
  image disk = make_image(GetParam(), "8M");
  failing_mount m{disk};
};

TEST_P(failed_commit, leaves_a_mount_that_can_only_be_read) {
  m.fail_a_commit();
  vfs::task& t = m.t();
  EXPECT_EQ(errno_of(t.pwrite(m.fd, "x", 1, 0)), EROFS) << "over bytes in place";
  EXPECT_EQ(errno_of(t.pwrite(m.fd, "x", 1, 5000)), EROFS);
  EXPECT_EQ(errno_of(t.ftruncate(m.fd, 0)), EROFS);
  EXPECT_EQ(errno_of(t.fallocate(m.fd, 0, 0, 10'000)), EROFS);
  EXPECT_EQ(errno_of(t.open("/kept", O_RDWR)), EROFS);
  EXPECT_EQ(errno_of(t.open("/new", O_WRONLY | O_CREAT, 0644)), EROFS);
  EXPECT_EQ(errno_of(t.mkdir("/new", 0755)), EROFS);
  EXPECT_EQ(errno_of(t.unlink("/kept")), EROFS);
  EXPECT_EQ(errno_of(t.chmod("/kept", 0600)), EROFS);
  EXPECT_EQ(read_file(t, "/kept"), "kept");
  EXPECT_NE(t.statfs("/")->flags & ST_RDONLY, 0u);
  EXPECT_THAT(m.fs.kernel().mounts(), HasSubstr(" ext4 ro"));
  EXPECT_THAT(m.fs.log(), HasSubstr("read-only from now on"));
}

// What was lost stays lost, whatever the medium does from now on.
TEST_P(failed_commit, is_told_to_everybody_who_syncs) {
  m.fail_a_commit();
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(errno_of(m.t().fsync(m.fd)), EIO);
    EXPECT_EQ(errno_of(m.t().fdatasync(m.fd)), EIO);
    EXPECT_EQ(errno_of(m.t().syncfs(m.fd)), EIO);
  }
  EXPECT_EQ(m.fs.umount().error(), EIO);
  EXPECT_THAT(m.fs.log(), HasSubstr("unmounted with changes lost"));
}

TEST_P(failed_commit, is_not_made_good_by_a_remount) {
  m.fail_a_commit();
  const auto writable = m.fs.kernel().remount("/", "rw");
  ASSERT_FALSE(writable);
  EXPECT_EQ(writable.error().code, EROFS);
  EXPECT_THAT(writable.error().message, HasSubstr("unmount it"));
  EXPECT_EQ(errno_of(m.t().mkdir("/new", 0755)), EROFS);
}

// What fails is not the commit of what was changed, with its two flushes, but what a remount does behind it.
TEST_P(failed_commit, of_a_remount_leaves_it_read_only) {
  ASSERT_TRUE(m.t().close(m.fd));
  write_file(m.t(), "/lost", "lost");
  (void)m.device->add({.kind = dev::fault_rule::what::eio_flush, .skip = 2, .times = 1});
  const auto readonly = m.fs.kernel().remount("/", "ro");
  ASSERT_FALSE(readonly);
  EXPECT_EQ(readonly.error().code, EIO);
  EXPECT_EQ(errno_of(m.t().mkdir("/new", 0755)), EROFS);
}

INSTANTIATE_TEST_SUITE_P(images, failed_commit, testing::Values("-b 1024 -J size=1", "-b 4096 -O ^has_journal"));

// ---- the reason ---------------------------------------------------------------------------------------------------------------------------

class told_reason : public testing::TestWithParam<const char*> {
 protected:
  using superblock_bytes = std::array<std::byte, sizeof(jbd2::journal_superblock)>;

  // DISK is as it is after a power failure when the reason has been written; the super block, as it was before, too.
  void SetUp() override {
    failing_mount m{disk};
    store(*m.below, disk);
    at = first_journal_block(disk) * (std::uint64_t{1024} << super_block_of(disk).s_log_block_size);
    before = disk.peek_value<superblock_bytes>(at);
    m.fail_a_commit();
    store(*m.below, disk);
    after = disk.peek_value<superblock_bytes>(at);
    ASSERT_TRUE(needs_recovery(disk));
  }
  [[nodiscard]] jbd2::journal_superblock superblock() const { return disk.peek_value<jbd2::journal_superblock>(at); }

  // The pieces of UNIT bytes that the write of the reason has changed.
  [[nodiscard]] std::vector<std::size_t> changed(std::size_t unit) const {
    std::vector<std::size_t> pieces;
    for (std::size_t i = 0; i < before.size(); i += unit)
      if (std::memcmp(&before[i], &after[i], unit) != 0) pieces.push_back(i);
    return pieces;
  }
  // Calls LOOK with an image for each selection of them that may have arrived.
  template <class Look>
  void for_each_tear(std::size_t unit, Look&& look) const {
    const std::vector<std::size_t> pieces = changed(unit);
    ASSERT_TRUE(!pieces.empty() && pieces.size() <= 4);
    for (unsigned arrived = 0; arrived < 1u << pieces.size(); ++arrived) {
      SCOPED_TRACE(fmt::format("arrived: {:#b} of {}", arrived, pieces.size()));
      superblock_bytes torn = before;
      for (std::size_t i = 0; i < pieces.size(); ++i)
        if ((arrived >> i & 1) != 0) std::memcpy(&torn[pieces[i]], &after[pieces[i]], unit);
      const image one = copy_of(disk, "torn");
      one.poke(at, torn);
      look(one);
    }
  }

  image disk = make_image(GetParam(), "8M");
  std::uint64_t at = 0;  // of the journal's super block, in bytes
  superblock_bytes before{}, after{};
};

void expect_kept(const image& from, std::string_view options) {
  mounted fs{from, options};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  EXPECT_EQ(names_in(fs.task(), "/"), (std::vector<std::string>{".", "..", "kept", "lost+found"}));
  EXPECT_EQ(read_file(fs.task(), "/kept"), "kept");
}

TEST_P(told_reason, costs_no_transaction_where_a_line_is_torn) {
  for_each_tear(64, [](const image& torn) {
    expect_kept(torn, "");
    const auto judged = run_command({"e2fsck", "-p", torn.path()});
    EXPECT_TRUE(judged.status == 0 || judged.status == 1) << judged.output;
    expect_kept(torn, "ro");
  });
}

// Recovery knows the words of one age among those of the other.
TEST_P(told_reason, costs_no_transaction_of_ours_where_a_word_is_torn) {
  for_each_tear(8, [](const image& torn) { expect_kept(torn, ""); });
}

TEST_P(told_reason, is_on_the_medium_at_once_and_gone_when_the_next_mount_has_told_it) {
  EXPECT_EQ(static_cast<std::int32_t>(superblock().s_errno.load()), -EIO);
  {
    mounted next{disk};
    ASSERT_TRUE(next.ok()) << next.failure();
    EXPECT_THAT(next.log(), HasSubstr("it had been aborted, run e2fsck"));
    write_file(next.task(), "/new", "new");
    ASSERT_TRUE(next.umount());
    store(next.device(), disk);
  }
  EXPECT_EQ(superblock().s_errno, 0u);
  EXPECT_EQ(superblock().s_header.h_sequence, 0u);
  EXPECT_NE(super_block_of(disk).s_state & error_fs, 0) << "that is for e2fsck to take away";
  mounted third{disk};
  ASSERT_TRUE(third.ok()) << third.failure();
  EXPECT_THAT(third.log(), Not(HasSubstr("aborted")));
}

INSTANTIATE_TEST_SUITE_P(images, told_reason,
                         testing::Values("-b 1024 -J size=1", "-b 4096", "-b 1024 -J size=1 -O ^64bit", "-b 4096 -O ^metadata_csum"));

}  // namespace
}  // namespace xip::ext4lite::test
