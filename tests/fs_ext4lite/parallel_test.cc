// Many tasks at once: files of their own share no lock that anybody waits for, and a storm of changes leaves what e2fsck accepts.
#include <gtest/gtest.h>

#include <fcntl.h>

#include <xip/locks/kthread.h>
#include <xip/locks/lockdep.h>

#include "fs_ext4lite/image.h"

namespace xip::ext4lite::test {
namespace {

// Runs BODY(task, number) in COUNT tasks at the same time.
template <class Body>
void in_parallel(mounted& m, int count, Body&& body) {
  std::vector<kthread> threads;
  std::vector<vfs::task*> tasks;
  for (int i = 0; i < count; ++i) {
    tasks.push_back(*m.kernel().make_task());
    auto made = kthread::run("worker", m.kernel().memory(), [&body, t = tasks.back(), i] { body(*t, i); });
    ASSERT_TRUE(made);
    threads.push_back(std::move(*made));
  }
  for (kthread& t : threads) t.join();
  for (vfs::task* t : tasks) m.kernel().exit_task(t);
}

[[nodiscard]] std::uint64_t waits_for_sleeping_locks(mounted& m) {
  std::uint64_t sum = 0;
  for (const char* name : {"i_rwsem", "jbd2_handle", "i_data_sem", "s_orphan_lock", "s_bitmap_lock", "s_error_lock", "invalidate_lock", "buffer_write", "i_pages"})
    sum += m.kernel().deps().contentions(name);
  return sum;
}

TEST(Parallel, TasksOnFilesOfTheirOwnNeverWaitForEachOther) {
  if (!lockdep_compiled_in) GTEST_SKIP() << "contentions are counted where lockdep is compiled in";
  const image disk = make_image("-b 4096", "64M");
  mounted m{disk, "dax=always"};
  ASSERT_TRUE(m.ok()) << m.failure();
  // Bitmaps are checked on first use, and the first change of all clears EXT4_VALID_FS: both happen before.
  for (int i = 0; i < 4; ++i) write_file(m.task(), "/f" + std::to_string(i), "x");
  const std::uint64_t before = waits_for_sleeping_locks(m);
  in_parallel(m, 4, [](vfs::task& t, int i) {
    const int fd = *t.open("/f" + std::to_string(i), O_RDWR);
    const std::string block = pattern(4096, static_cast<std::uint32_t>(i));
    for (int n = 0; n < 500; ++n) {
      ASSERT_EQ(t.pwrite(fd, block.data(), block.size(), n * 4096).value(), block.size());
      ASSERT_EQ(t.pwrite(fd, block.data(), block.size(), n / 2 * 4096).value(), block.size());
      std::string back(4096, '\0');
      ASSERT_EQ(t.pread(fd, back.data(), back.size(), n * 4096).value(), back.size());
      ASSERT_EQ(back, block);
    }
    ASSERT_TRUE(t.close(fd));
  });
  EXPECT_EQ(waits_for_sleeping_locks(m), before);
  m.umount_and_check(disk);
}

TEST(Parallel, ReadersOfOneFileNeverWait) {
  if (!lockdep_compiled_in) GTEST_SKIP() << "contentions are counted where lockdep is compiled in";
  const image disk = make_image("-b 4096", "16M");
  mounted m{disk, "dax=always"};
  ASSERT_TRUE(m.ok()) << m.failure();
  write_file(m.task(), "/f", pattern(1'000'000));
  const std::string contents = read_file(m.task(), "/f");
  const std::uint64_t before = waits_for_sleeping_locks(m);
  in_parallel(m, 4, [&](vfs::task& t, int) {
    for (int n = 0; n < 20; ++n) ASSERT_EQ(read_file(t, "/f"), contents);
  });
  EXPECT_EQ(waits_for_sleeping_locks(m), before);
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

INSTANTIATE_TEST_SUITE_P(Mke2fs, Storm, testing::Values("-b 4096", "-b 1024 -g 1024", "-b 2048 -O ^metadata_csum,uninit_bg", "-b 1024 -O ^dir_index,^has_journal"));

}  // namespace
}  // namespace xip::ext4lite::test
