// Many tasks at once: who works on files of their own, or reads the same one, never waits for a lock, and a storm of changes leaves what e2fsck accepts.
#include <atomic>
#include <functional>
#include <utility>

#include <gtest/gtest.h>

#include <fcntl.h>

#include <xip/locks/lockdep.h>
#include <xip/locks/thread_context.h>
#include <xip/locks/wait_for.h>
#include <xip/vfs/user_access.h>

#include "fs_ext4lite/in_parallel.h"

namespace xip::ext4lite::test {
namespace {

// User memory whose copies call REACHED once, in the middle of a copy and under its locks.
struct pausing_memory {
  std::function<void()> reached;
  vfs::user_access access{.fault_in = [](void*, const std::byte*, std::size_t bytes, bool) { return bytes; },
                          .copy_in =
                              [](void* c, const std::byte* user, std::size_t bytes, bool, vfs::move_piece move, void* argument) {
                                static_cast<pausing_memory*>(c)->copy(const_cast<std::byte*>(user), bytes, move, argument);
                                return bytes;
                              },
                          .copy_out =
                              [](void* c, std::byte* user, std::size_t bytes, bool, vfs::move_piece move, void* argument) {
                                static_cast<pausing_memory*>(c)->copy(user, bytes, move, argument);
                                return bytes;
                              },
                          .context = this};

  void copy(std::byte* user, std::size_t bytes, vfs::move_piece move, void* argument) {
    move(argument, user, 0, bytes / 2);
    if (reached) std::exchange(reached, {})();
    move(argument, user + bytes / 2, bytes / 2, bytes - bytes / 2);
  }
};

// FIRST(task) makes a call that copies; while it stands in mid-copy SECOND(task) does all its work. It must not have to wait for FIRST: that goes
// on as soon as SECOND has ended, or is seen waiting for a lock.
template <class First, class Second>
void expect_no_wait(mounted& m, First&& first, Second&& second) {
  std::atomic<bool> half_way{false}, ended{false};
  std::atomic<thread_context*> other{nullptr};
  in_parallel(m, 2, [&](vfs::task& t, int number) {
    if (number == 0) {
      pausing_memory memory{[&] {
        half_way = true;
        wait_for([&] { return ended || (other != nullptr && times_contended(*other) != 0); });
      }};
      t.uaccess = &memory.access;
      first(t);
      t.uaccess = nullptr;
      EXPECT_TRUE(half_way.exchange(true)) << "nothing was copied";
    } else {
      other = &t.context;
      wait_for([&] { return half_way.load(); });
      second(t);
      EXPECT_EQ(times_contended(t.context), 0u);
      ended = true;
    }
  });
}

// Grows, overwrites and reads a file of its own.
void work_on(vfs::task& t, const char* path) {
  const int fd = *t.open(path, O_RDWR);
  const std::string block = pattern(4096);
  for (int n = 0; n < 300; ++n) {
    ASSERT_EQ(t.pwrite(fd, block.data(), block.size(), n * 4096).value(), block.size());
    ASSERT_EQ(t.pwrite(fd, block.data(), block.size(), n / 2 * 4096).value(), block.size());
    std::string back(4096, '\0');
    ASSERT_EQ(t.pread(fd, back.data(), back.size(), n * 4096).value(), back.size());
    ASSERT_EQ(back, block);
  }
  ASSERT_TRUE(t.ftruncate(fd, 4096));
  ASSERT_TRUE(t.close(fd));
}

class Parallel : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Mount, Parallel, testing::Values("dax=always,noatime", "dax=never,noatime"));

TEST_P(Parallel, WritersOfTwoFilesNeverWaitForEachOther) {
  const image disk = make_image("-b 4096", "64M");
  mounted m{disk, GetParam()};
  ASSERT_TRUE(m.ok()) << m.failure();
  // Bitmaps are checked on first use, and the first change of all clears EXT4_VALID_FS: both happen before.
  for (const char* path : {"/a", "/b"}) write_file(m.task(), path, pattern(8192));
  const std::string data = pattern(100'000, 2);
  for (const loff_t offset : {0, 4096, 500'000})  // overwriting, growing, behind a hole
    expect_no_wait(
        m,
        [&](vfs::task& t) {
          const int fd = *t.open("/a", O_RDWR);
          EXPECT_EQ(t.pwrite(fd, data.data(), data.size(), offset).value(), data.size());
          EXPECT_TRUE(t.close(fd));
        },
        [](vfs::task& t) { work_on(t, "/b"); });
  m.umount_and_check(disk);
}

TEST_P(Parallel, ReadersOfOneFileNeverWait) {
  const image disk = make_image("-b 4096", "16M");
  mounted m{disk, GetParam()};
  ASSERT_TRUE(m.ok()) << m.failure();
  const std::string contents = pattern(1'000'000);
  write_file(m.task(), "/f", contents);
  const auto read_all = [&](vfs::task& t) { ASSERT_EQ(read_file(t, "/f"), contents); };
  expect_no_wait(m, read_all, read_all);
  m.umount_and_check(disk);
}

// Overlap by chance, and every sleeping lock of every thread counted.
TEST_P(Parallel, ReadersUnderLoadContendOnNoSleepingLock) {
  if (!lockdep_compiled_in) GTEST_SKIP() << "contentions are counted where lockdep is compiled in";
  const image disk = make_image("-b 4096", "16M");
  mounted m{disk, GetParam()};
  ASSERT_TRUE(m.ok()) << m.failure();
  write_file(m.task(), "/f", pattern(1'000'000));
  const std::string contents = read_file(m.task(), "/f");
  const std::uint64_t before = m.kernel().deps().contentions();
  in_parallel(m, 4, [&](vfs::task& t, int) {
    for (int n = 0; n < 20; ++n) ASSERT_EQ(read_file(t, "/f"), contents);
  });
  EXPECT_EQ(m.kernel().deps().contentions(), before);
  m.umount_and_check(disk);
}

// Each task makes, grows, cuts, renames and removes files of its own in one directory, others sync.
void storm(vfs::task& t, int number, unsigned rounds) {
  std::uint32_t seed = static_cast<std::uint32_t>(number) * 7919 + 1;
  const auto chance = [&](std::uint32_t below) { return (seed = seed * 1664525 + 1013904223) / 65536 % below; };
  std::vector<std::string> files;
  for (unsigned i = 0; i < rounds; ++i) {
    const std::string name = "/d/t" + std::to_string(number) + "-" + std::to_string(i);
    switch (chance(files.empty() ? 1 : 6)) {
      case 0:
      case 1:
        write_file(t, name, pattern(chance(60'000) + 1, i));
        files.push_back(name);
        break;
      case 2:
        ASSERT_TRUE(t.truncate(files[chance(static_cast<std::uint32_t>(files.size()))], chance(80'000)));
        break;
      case 3: {
        std::string& one = files[chance(static_cast<std::uint32_t>(files.size()))];
        ASSERT_TRUE(t.rename(one, name));
        one = name;
        break;
      }
      case 4: {
        const int fd = *t.open(files.back(), O_RDWR);
        const std::string tail = pattern(chance(9000) + 1, i);
        ASSERT_TRUE(t.pwrite(fd, tail.data(), tail.size(), chance(200'000)));
        const bool synced = chance(4) != 0 || t.fsync(fd).has_value();
        ASSERT_TRUE(synced);
        ASSERT_TRUE(t.close(fd));
        break;
      }
      default:
        ASSERT_TRUE(t.unlink(files.back()));
        files.pop_back();
    }
  }
}

class Storm : public testing::TestWithParam<const char*> {};

TEST_P(Storm, LeavesWhatE2fsckAccepts) {
  const image disk = make_image(GetParam(), "64M");
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  ASSERT_TRUE(m.task().mkdir("/d", 0755));
  in_parallel(m, 4, [](vfs::task& t, int i) { storm(t, i, 300); });
  m.umount_and_check(disk);
}

INSTANTIATE_TEST_SUITE_P(Mke2fs, Storm,
                         testing::Values("-b 4096", "-b 1024 -g 1024", "-b 2048 -O ^metadata_csum,uninit_bg",
                                         "-b 1024 -O ^dir_index,^has_journal"));

}  // namespace
}  // namespace xip::ext4lite::test
