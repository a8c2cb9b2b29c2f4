// A file changes while pointers to it are in use, by other threads too.
#include <array>
#include <atomic>
#include <memory_resource>

#include <sched.h>

#include <xip/locks/kthread.h>
#include <xip/locks/wait_for.h>

#include "host_file.h"

namespace xip::host {
namespace {

using host_change = host_file;

// Three threads of the program load all the time, from their first load on.
class readers {
 public:
  template <class Look>
  explicit readers(const Look& look) {
    for (std::atomic<unsigned>& looks : looks_)
      threads_.push_back(kthread::run("reader", *std::pmr::get_default_resource(), [this, look, &looks] {
                           while (!ends_.load()) {
                             look();
                             ++looks;
                           }
                         }).value());
    wait_for_more();
  }
  ~readers() {
    ends_ = true;
    threads_.clear();
  }
  readers(const readers&) = delete;
  readers& operator=(const readers&) = delete;
  // Each of them has begun and ended a look since.
  void wait_for_more() {
    for (std::atomic<unsigned>& looks : looks_) {
      const unsigned before = looks.load();
      wait_for([&] { return looks.load() >= before + 2; });
    }
  }

 private:
  std::atomic<bool> ends_{false};
  std::array<std::atomic<unsigned>, 3> looks_{};
  std::vector<kthread> threads_;
};

TEST_P(host_change, nobody_sees_a_block_that_a_truncate_has_freed) {
  XIP_BEGIN_HOST_TEST();
  constexpr std::size_t pages = 16;
  put(std::string(pages * page, 'o'), 0);
  char* at = map(pages * page);
  std::atomic<unsigned> wrong{0}, signals{0};
  std::atomic<bool> is_cut{false};
  readers threads{[&] {
    for (std::size_t i = 0; i < pages; ++i) {
      const bool was_cut = is_cut.load();
      char c = '?';
      const outcome got = attempt([&] { c = load(at + i * page + 3); });
      if (got.signal != 0) {
        ++signals;
        wrong += got.signal != SIGBUS || got.code != BUS_ADRERR || got.address != at + i * page + 3 || i < 4;
      } else {
        wrong += c != 'o' && c != 0;
        wrong += was_cut && is_cut.load() && i >= 4 && c == 'o';
      }
    }
  }};
  const int other = t().open("/other", O_RDWR | O_CREAT, 0644).value();
  const std::string foreign((pages - 4) * page, 'F');
  for (int round = 0; round < 20; ++round) {
    resize(4 * page);
    is_cut = true;
    ASSERT_TRUE(t().fsync(fd));  // what was freed may be allocated
    ASSERT_EQ(t().pwrite(other, foreign.data(), foreign.size(), 0).value_or(0), foreign.size());
    threads.wait_for_more();
    ASSERT_TRUE(t().ftruncate(other, 0));
    is_cut = false;
    resize(pages * page);
    put(std::string((pages - 4) * page, 'o'), 4 * page);
    threads.wait_for_more();
  }
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_GT(signals.load(), 0u);
  ASSERT_TRUE(t().close(other));
}

TEST_P(host_change, no_store_reaches_a_block_that_a_punch_has_freed) {
  XIP_BEGIN_HOST_TEST();
  constexpr std::size_t pages = 16;
  put(std::string(pages * page, 'o'), 0);
  char* at = map(pages * page);
  std::atomic<bool> pauses{false};
  std::atomic<unsigned> signals{0};
  readers threads{[&] {
    for (std::size_t i = 0; i < pages && !pauses; ++i) signals += attempt([&] { store(at + i * page + 3, 's'); }).signal != 0;
  }};
  const int other = t().open("/other", O_RDWR | O_CREAT, 0644).value();
  const std::string foreign(pages * page, 'F');
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(t().fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, pages * page));
    ASSERT_TRUE(t().fsync(fd));
    ASSERT_EQ(t().pwrite(other, foreign.data(), foreign.size(), 0).value_or(0), foreign.size());
    threads.wait_for_more();
    std::string found(foreign.size(), '?');
    ASSERT_EQ(t().pread(other, found.data(), found.size(), 0).value_or(0), found.size());
    ASSERT_TRUE(found == foreign);
    ASSERT_TRUE(t().ftruncate(other, 0));
  }
  EXPECT_EQ(signals.load(), 0u);
  pauses = true;
  threads.wait_for_more();
  ASSERT_TRUE(t().fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, pages * page));
  for (std::size_t i = 0; i < pages; ++i) EXPECT_EQ(load(at + i * page + 3), 0);
  ASSERT_TRUE(t().close(other));
}

TEST_P(host_change, pages_that_move_are_found_where_they_are) {
  XIP_BEGIN_HOST_TEST();
  for (char c = 'a'; c < 'i'; ++c) put(std::string(page, c), (c - 'a') * static_cast<loff_t>(page));
  char* at = map(8 * page);
  store(at + 5 * page, 'S');
  ASSERT_TRUE(t().fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, page, 2 * page));
  EXPECT_EQ(load(at), 'a');
  EXPECT_EQ(load(at + page), 'd');
  EXPECT_EQ(load(at + 3 * page), 'S');
  EXPECT_EQ(attempt([&] { static_cast<void>(load(at + 6 * page)); }).signal, SIGBUS);
  ASSERT_TRUE(t().fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, page));
  EXPECT_EQ(load(at), 0);
  EXPECT_EQ(load(at + 4 * page), 'S');
  ASSERT_TRUE(t().fallocate(fd, FALLOC_FL_ZERO_RANGE, 4 * page, page));
  EXPECT_EQ(load(at + 4 * page), 0);
}

TEST_P(host_change, a_full_disk_signals_only_what_needs_a_block) {
  XIP_BEGIN_HOST_TEST();
  resize(8 * page);
  char* at = map(8 * page);
  const int ballast = t().open("/ballast", O_RDWR | O_CREAT, 0644).value();
  const auto free = static_cast<loff_t>(t().fstatfs(ballast)->bfree);
  EXPECT_EQ(t().fallocate(ballast, 0, 0, (free + 1) * static_cast<loff_t>(page)).error(), ENOSPC);
  ASSERT_TRUE(t().fsync(ballast));
  EXPECT_EQ(load(at), 0);
  const outcome got = attempt([&] { store(at + 1, 'x'); });
  EXPECT_EQ(got.signal, SIGBUS);
  EXPECT_EQ(got.address, at + 1);
  EXPECT_EQ(load(at), 0);
  ASSERT_TRUE(t().close(ballast));
  ASSERT_TRUE(t().unlink("/ballast"));
  EXPECT_EQ(attempt([&] { store(at + 1, 'x'); }).signal, 0);
}

INSTANTIATE_TEST_SUITE_P(traps, host_change, ::testing::Values(trap_by::sigsegv, trap_by::userfaultfd), name_of_traps);

}  // namespace
}  // namespace xip::host
