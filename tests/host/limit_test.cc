// The host has no room for another mapping: what has to be taken from a program is taken, what it needs it gets, and nothing that it stored is lost.
#include <cstdio>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <sys/mman.h>

#include "host_file.h"

namespace xip::host {
namespace {

// Takes all mappings that the process may have but SPARE, and the one more that the host makes when it has as many as it allows: pages of every second kind,
// so that none are joined, one at the end of them, and one elsewhere.
class crowd {
 public:
  explicit crowd(std::size_t spare) {
    begin_ = static_cast<char*>(::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (begin_ == MAP_FAILED) return;
    std::size_t at = page;
    while (at + 2 * page < bytes && ::mprotect(begin_ + at, page, PROT_READ) == 0) at += 2 * page;
    is_full_ = at + 2 * page < bytes;
    char* const last = begin_ + bytes - page;
    const bool has_last = ::mprotect(last, page, PROT_READ) == 0;
    one_more_ = ::mmap(nullptr, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (spare > 0 && one_more_ != MAP_FAILED) {
      ::munmap(std::exchange(one_more_, MAP_FAILED), page);
      --spare;
    }
    if (spare > 0 && has_last) {
      static_cast<void>(::mprotect(last, page, PROT_NONE));
      --spare;
    }
    for (std::size_t i = 0; i < (spare + 1) / 2 && at > page; ++i) {
      at -= 2 * page;
      static_cast<void>(::mprotect(begin_ + at, page, PROT_NONE));
    }
  }
  ~crowd() {
    ::munmap(begin_, bytes);
    if (one_more_ != MAP_FAILED) ::munmap(one_more_, page);
  }
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;
  // False: the host allows more mappings than a test should make, or a sanitizer needs some for itself.
  [[nodiscard]] bool is_full() const noexcept { return is_full_; }

 private:
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr std::size_t bytes = 4 * page;
#else
  static constexpr std::size_t bytes = std::size_t{2} << 30;
#endif
  char* begin_ = nullptr;
  void* one_more_ = MAP_FAILED;
  bool is_full_ = false;
};

#define XIP_CROWD(SPARE)                                                                     \
  const crowd all{SPARE};                                                                    \
  if (!all.is_full()) {                                                                      \
    GTEST_SKIP() << "vm.max_map_count is large on this host, or a sanitizer needs mappings"; \
  }                                                                                          \
  static_assert(true)

using host_limit = host_file;

// Whether the last mappings are cut in the middle or at an end, all of them are used up.
constexpr std::size_t spares[] = {0, 1, 2, 3};

TEST_P(host_limit, a_run_is_punched_in_its_middle) {
  XIP_BEGIN_HOST_TEST();
  for (const std::size_t spare : spares) {
    SCOPED_TRACE(spare);
    put(std::string(12 * page, 'o'), 0);
    char* at = map(12 * page);
    store(at, 's');
    EXPECT_EQ(load(at + 11 * page), 'o');
    {
      XIP_CROWD(spare);
      for (const loff_t first : {3, 6, 8, 10})
        ASSERT_TRUE(t().fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first * static_cast<loff_t>(page), page));
    }
    EXPECT_EQ(load(at), 's');
    for (const std::size_t i : {2, 4, 5, 7, 9, 11}) EXPECT_EQ(load(at + i * page), 'o');
    for (const std::size_t i : {3, 6, 8, 10}) EXPECT_EQ(load(at + i * page), 0);
    ASSERT_TRUE(mm::munmap(t(), address(at), 12 * page));
  }
}

TEST_P(host_limit, the_middle_of_a_run_is_synced_and_tracked_again) {
  XIP_BEGIN_HOST_TEST();
  for (const std::size_t spare : spares) {
    SCOPED_TRACE(spare);
    put(pattern(3 * large), 0);
    char* at = map(3 * large);
    for (std::size_t i = 0; i < 3; ++i) store(at + i * large, 's');
    {
      XIP_CROWD(spare);
      ASSERT_TRUE(mm::msync(t(), address(at) + large, large, MS_SYNC));
    }
    const std::uint64_t before = space().faults().minor;
    store(at + large + 1, 't');
    EXPECT_GT(space().faults().minor, before);
    EXPECT_EQ(get(2, static_cast<loff_t>(large)), "st");
    ASSERT_TRUE(mm::munmap(t(), address(at), 3 * large));
  }
}

TEST_P(host_limit, the_middle_of_a_mapping_is_unmapped) {
  XIP_BEGIN_HOST_TEST();
  for (const std::size_t spare : spares) {
    SCOPED_TRACE(spare);
    put(std::string(8 * page, 'o'), 0);
    char* at = map(16 * page);
    EXPECT_EQ(load(at), 'o');
    {
      XIP_CROWD(spare);
      ASSERT_TRUE(mm::munmap(t(), address(at) + 3 * page, 8 * page));
    }
    EXPECT_EQ(attempt([&] { static_cast<void>(load(at + 3 * page)); }).code, SEGV_MAPERR);
    EXPECT_EQ(attempt([&] { static_cast<void>(load(at + 9 * page)); }).code, SEGV_MAPERR);
    EXPECT_EQ(load(at + 2 * page), 'o');
    ASSERT_TRUE(mm::munmap(t(), address(at), 16 * page));
  }
}

// The page is there to be read, in a run that would have to be cut: for a store that is not enough.
TEST_P(host_limit, a_part_of_a_run_is_stored_into) {
  XIP_BEGIN_HOST_TEST();
  for (const std::size_t spare : spares) {
    SCOPED_TRACE(spare);
    put(std::string(large, 'o'), 0);
    char* at = map(large);
    EXPECT_EQ(load(at + 300 * page), 'o');
    ASSERT_TRUE(mm::madvise(t(), address(at), large / 2, MADV_DONTNEED));
    {
      XIP_CROWD(spare);
      EXPECT_EQ(attempt([&] { store(at + 300 * page, 's'); }).signal, 0);
    }
    EXPECT_EQ(get(1, static_cast<loff_t>(300 * page)), "s");
    ASSERT_TRUE(mm::munmap(t(), address(at), large));
  }
}

TEST_P(host_limit, an_address_space_ends) {
  XIP_BEGIN_HOST_TEST();
  for (const std::size_t spare : spares) {
    SCOPED_TRACE(spare);
    put(std::string(8 * page, 'o'), 0);
    char* at = map(8 * page);
    store(at + 3 * page, 's');
    {
      XIP_CROWD(spare);
      ASSERT_TRUE(mm::mm_struct::make_for(t()).has_value());
    }
    EXPECT_EQ(get(1, 3 * page), "s");
    ASSERT_TRUE(mm::mm_struct::make_host_for(t(), GetParam()).has_value());
  }
}

TEST_P(host_limit, pages_of_files_make_room_for_private_ones) {
  XIP_BEGIN_HOST_TEST();
  constexpr std::size_t pages = 64;
  put(std::string(pages * page, 'o'), 0);
  char* mine = map(pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  for (std::size_t i = 0; i < pages; i += 2) store(mine + i * page, 'p');
  for (std::size_t i = 0; i < pages; ++i) put("s", static_cast<loff_t>((pages + 1 + 2 * i) * page));
  const char* spread = map(2 * pages * page, PROT_READ, MAP_SHARED, pages * page);
  char* other = map(pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  XIP_CROWD(0);
  EXPECT_EQ(attempt([&] { store(other + 3 * page, 'q'); }).signal, 0);
  EXPECT_EQ(load(other + 3 * page), 'q');
  EXPECT_EQ(load(spread + page), 's');
  for (std::size_t i = 1; i < pages; i += 2) EXPECT_EQ(attempt([&] { EXPECT_EQ(load(mine + i * page), 'o'); }).signal, 0) << i;
  for (std::size_t i = 0; i < pages; i += 2) EXPECT_EQ(load(mine + i * page), 'p');
  EXPECT_THAT(fs->log(), ::testing::HasSubstr("vm.max_map_count"));
}

TEST_P(host_limit, pages_of_files_make_room_for_others) {
  XIP_BEGIN_HOST_TEST();
  constexpr std::size_t pieces = 200;
  for (std::size_t i = 0; i < pieces; ++i) put("p.", static_cast<loff_t>(2 * i * page));
  char* at = map(2 * pieces * page);
  XIP_CROWD(60);
  for (std::size_t i = 0; i < pieces; ++i) EXPECT_EQ(attempt([&] { EXPECT_EQ(load(at + 2 * i * page), 'p'); }).signal, 0) << i;
  for (std::size_t i = 0; i < pieces; ++i) EXPECT_EQ(attempt([&] { store(at + 2 * i * page + 1, 'q'); }).signal, 0) << i;
  for (std::size_t i = 0; i < pieces; ++i) EXPECT_EQ(get(2, static_cast<loff_t>(2 * i * page)), "pq") << i;
}

// An access is signalled, not made for ever.
TEST_P(host_limit, what_is_behind_the_end_is_a_signal) {
  XIP_BEGIN_HOST_TEST();
  resize(page);
  char* at = map(8 * page);
  {
    XIP_CROWD(0);
    for (std::size_t i = 1; i < 8; i += 2) EXPECT_EQ(attempt([&] { static_cast<void>(load(at + i * page)); }).signal, SIGBUS);
  }
  resize(8 * page);
  for (std::size_t i = 1; i < 8; ++i) EXPECT_EQ(attempt([&] { store(at + i * page, 's'); }).signal, 0);
}

TEST_P(host_limit, private_pages_stay_when_their_mapping_cannot_move) {
  XIP_BEGIN_HOST_TEST();
  put(std::string(4 * page, 'f'), 0);
  char* mine = map(4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  char* wall = map(page);
  EXPECT_EQ(load(wall), 'f');
  store(mine, 'p');
  store(mine + 2 * page, 'p');
  mm::user_address now = address(mine);
  {
    XIP_CROWD(0);
    if (const auto moved = mm::mremap(t(), now, 4 * page, 8 * page, MREMAP_MAYMOVE))
      now = *moved;
    else
      EXPECT_EQ(moved.error(), ENOMEM);
  }
  const char* at = static_cast<const char*>(mm::user_pointer(now));
  EXPECT_EQ(load(at), 'p');
  EXPECT_EQ(load(at + page), 'f');
  EXPECT_EQ(load(at + 2 * page), 'p');
}

INSTANTIATE_TEST_SUITE_P(traps, host_limit, ::testing::Values(trap_by::sigsegv, trap_by::userfaultfd), name_of_traps);

}  // namespace
}  // namespace xip::host
