// Commits of a mounted file system: how many are made, who waits for which, when one is made that nobody asked for, and what it costs.
#include <algorithm>
#include <chrono>

#include <fcntl.h>

#include <gmock/gmock.h>

#include <fmt/format.h>

#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/locks/delay.h>

#include "fs_ext4lite/in_parallel.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/journal_inode.h"
#include "fs_ext4lite/super.h"
#include "locks/toy_scheduler.h"
#include "vfs/dcache.h"

namespace xip::ext4lite::test {
namespace {

using std::chrono::seconds;

// Of a task that has walked a path.
[[nodiscard]] ext4_sb_info& sb_of(vfs::task& t) { return static_cast<ext4_sb_info&>(t.cwd.dent->get_inode()->i_sb); }

void sync(vfs::task& t) {
  const int fd = t.open("/", O_RDONLY | O_DIRECTORY).value();
  EXPECT_TRUE(t.syncfs(fd));
  EXPECT_TRUE(t.close(fd));
}

constexpr std::string_view unhurried = "commit=3600";

// ---- how many ---------------------------------------------------------------------------------------------------------------------------

// The first commit stands still until each of the others has written: all these are in one transaction, whoever asks for it.
TEST(group_commit, carries_all_who_came_while_another_was_on_its_way) {
  constexpr int tasks = 8;
  const image disk = make_image("-b 1024 -J size=1", "8M");
  mounted m{disk, unhurried};
  ASSERT_TRUE(m.ok()) << m.failure();
  for (int i = 0; i < tasks; ++i) write_file(m.task(), fmt::format("/f{}", i), "old");
  sync(m.task());
  const ext4_sb_info& sb = sb_of(m.task());
  const std::uint64_t before = sb.s_commit_sequence;
  std::atomic<int> joined{0};
  hold_at first{point::jbd2_before_flush, [&] { return joined == tasks - 1; }};
  in_parallel(m, tasks, [&](vfs::task& t, int number) {
    const int fd = t.open(fmt::format("/f{}", number), O_WRONLY | O_APPEND).value();
    if (number == 0)
      t.context.points = &first;
    else
      first.wait_until_reached();
    EXPECT_TRUE(t.write(fd, "new", 3));
    if (number != 0) ++joined;
    EXPECT_TRUE(t.fsync(fd));
    t.context.points = nullptr;
    EXPECT_TRUE(t.close(fd));
  });
  EXPECT_TRUE(first.let_go());
  EXPECT_EQ(sb.s_commit_sequence - before, 2u) << tasks << " fsyncs";
  store(m.device(), disk);
  mounted again{disk};
  ASSERT_TRUE(again.ok()) << again.failure();
  for (int i = 0; i < tasks; ++i) EXPECT_EQ(read_file(again.task(), fmt::format("/f{}", i)), "oldnew") << i;
}

// ---- who waits for which ------------------------------------------------------------------------------------------------------------------

// A file has grown in the transaction that is on its way when fdatasync is asked for, and LATER was done to it in the next. The commit stands still until
// fdatasync has begun to wait, or has answered.
template <class Later>
void expect_fdatasync_to_wait(Later&& later) {
  const image disk = make_image("-b 1024 -J size=1", "8M");
  mounted m{disk, unhurried};
  ASSERT_TRUE(m.ok()) << m.failure();
  write_file(m.task(), "/f", pattern(4096));
  sync(m.task());
  const ext4_sb_info& sb = sb_of(m.task());
  std::atomic<bool> grown{false}, answered{false};
  std::atomic<std::uint64_t> waits{0};
  std::atomic<thread_context*> asking{nullptr};
  hold_at commit{point::jbd2_before_commit_block, [&] {
                   thread_context* const other = asking;
                   return other != nullptr && (answered || times_contended(*other) != waits);
                 }};
  in_parallel(m, 2, [&](vfs::task& t, int number) {
    if (number == 0) {
      wait_for([&] { return grown.load(); });
      t.context.points = &commit;
      sync(t);
      t.context.points = nullptr;
      return;
    }
    const int fd = t.open("/f", O_WRONLY | O_APPEND).value();
    const std::string more = pattern(4096, 2);
    EXPECT_TRUE(t.write(fd, more.data(), more.size()));
    const std::uint64_t tid = running_tid(sb);
    grown = true;
    commit.wait_until_reached();
    EXPECT_EQ(running_tid(sb), tid + 1);
    EXPECT_LT(sb.s_commit_sequence, tid);
    later(t);
    waits = times_contended(t.context);
    asking = &t.context;
    EXPECT_TRUE(t.fdatasync(fd));
    EXPECT_GE(sb.s_commit_sequence, tid) << "it has answered, and the commit stands still";
    EXPECT_EQ(running_tid(sb), tid + 1) << "nothing of the next transaction is needed to read the file";
    answered = true;
    EXPECT_TRUE(t.close(fd));
  });
  EXPECT_TRUE(commit.let_go());
}

TEST(fdatasync_beside_a_commit, waits_for_what_has_grown_the_file) {
  expect_fdatasync_to_wait([](vfs::task&) {});
}

TEST(fdatasync_beside_a_commit, does_so_when_the_inode_has_changed_again_since) {
  expect_fdatasync_to_wait([](vfs::task& t) { EXPECT_TRUE(t.chmod("/f", 0600)); });
}

// ---- when nobody asks -----------------------------------------------------------------------------------------------------------------------

// On a clock that goes on when nobody can run.
TEST(commit_option, says_how_long_a_change_waits_for_its_commit) {
  const image disk = make_image("-b 1024 -J size=1", "8M");
  const std::unique_ptr<dev::device> device = load(disk);
  xip::test::toy_scheduler toy{1};
  toy.run([&] {
    vfs::kernel kernel{{.log = [](vfs::log_level, std::string_view) {}, .sched = &toy}};
    ASSERT_TRUE(kernel.register_filesystem(ext4lite_file_system()));
    ASSERT_TRUE(kernel.mount("ext4", *device, "/", "commit=7"));
    vfs::task* const t = kernel.make_task().value();
    const auto expect_commit_at = [&](nanoseconds when) {
      write_file(*t, "/f", fmt::format("at {}", toy.now.count()));
      const std::uint64_t tid = running_tid(sb_of(*t));
      delay(when - nanoseconds{1} - toy.now);
      EXPECT_LT(sb_of(*t).s_commit_sequence, tid) << when.count();
      delay(nanoseconds{2});
      EXPECT_EQ(sb_of(*t).s_commit_sequence, tid) << when.count();
    };
    expect_commit_at(seconds{7});
    ASSERT_TRUE(kernel.remount("/", "commit=3"));
    expect_commit_at(seconds{14});  // what has begun ends as it was
    expect_commit_at(seconds{17});
    kernel.exit_task(t);
    EXPECT_TRUE(kernel.umount("/"));
  });
}

// ---- what it costs --------------------------------------------------------------------------------------------------------------------------

// Blocks that requests have written.
struct written_blocks final : dev::recorder {
  void on_store(std::uint64_t, std::span<const std::byte>, bool) noexcept override {}
  void on_flush(std::uint64_t, std::size_t) noexcept override {}
  void on_fence() noexcept override {}
  void on_write(std::uint64_t offset, std::span<const std::byte> bytes) noexcept override {
    for (std::uint64_t at = offset >> bits; at << bits < offset + bytes.size(); ++at) blocks.push_back(at);
  }
  void on_flush_cache() noexcept override {}
  unsigned bits = 12;  // of a block
  std::vector<std::uint64_t> blocks;
};

// How many blocks of metadata a commit finds changed.
struct changed_blocks final : point_sink {
  explicit changed_blocks(const ext4_sb_info& of) : sb{of} {}
  void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {
    if (p == point::jbd2_freeze) count += sb.s_buffers->dirty_count();
  }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
  const ext4_sb_info& sb;
  std::size_t count = 0;
};

class cost_of_an_fsync : public testing::TestWithParam<const char*> {};

TEST_P(cost_of_an_fsync, behind_an_append_is_three_blocks_of_metadata_and_two_of_the_log) {
  const image disk = make_image(GetParam(), "16M");
  const std::unique_ptr<dev::device> below = load(disk);
  written_blocks written;
  const auto device = dev::make_recording(*below, written);
  mounted m{*device, unhurried};
  ASSERT_TRUE(m.ok()) << m.failure();
  vfs::task& t = m.task();
  const int fd = t.open("/f", O_WRONLY | O_CREAT | O_APPEND, 0644).value();
  const std::string page = pattern(4096);
  ASSERT_TRUE(t.write(fd, page.data(), page.size()));
  ASSERT_TRUE(t.fsync(fd));
  const ext4_sb_info& sb = sb_of(t);
  written.bits = sb.s_blocksize_bits;
  std::string message;
  const auto log = find_journal(sb, super_block_copy(sb), message).value().by_place();
  for (int round = 0; round < 20; ++round) {
    written.blocks.clear();
    changed_blocks changed{sb};
    t.context.points = &changed;
    ASSERT_TRUE(t.write(fd, page.data(), page.size()));
    ASSERT_TRUE(t.fsync(fd));
    t.context.points = nullptr;
    const auto in_log = std::ranges::count_if(written.blocks, [&](std::uint64_t b) { return jbd2::contains(log, b); });
    EXPECT_GE(changed.count, 1u);
    EXPECT_LE(changed.count, 3u) << "the inode, the bitmap, the group's descriptor";
    EXPECT_EQ(static_cast<std::size_t>(in_log), changed.count + 2) << "a descriptor, and the commit block";
  }
  ASSERT_TRUE(t.close(fd));
  m.umount_and_check(disk);
}

INSTANTIATE_TEST_SUITE_P(images, cost_of_an_fsync, testing::Values("-b 4096", "-b 1024", "-b 4096 -O ^metadata_csum"));

}  // namespace
}  // namespace xip::ext4lite::test
