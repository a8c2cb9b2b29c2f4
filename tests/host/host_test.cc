// Pointers to files: what any code of the process sees through one, and what the file's own calls do to it. Each test is made with both ways to notice a fault.
#include "host_file.h"

namespace xip::host {
namespace {

TEST_P(host_file, a_pointer_is_the_devices_own_memory) {
  XIP_BEGIN_HOST_TEST();
  const std::string text = pattern(3 * large);
  put(text, 0);
  char* at = map(text.size());
  EXPECT_EQ(std::memcmp(at, text.data(), text.size()), 0);
  const auto faults = space().faults();
  EXPECT_EQ(faults.minor + faults.major, 0u) << "what is written is mapped at once";
  EXPECT_LE(space().host_runs(), 3u);
  EXPECT_EQ(address(at) % large, 0u);
  store(at + 5000, 'X');
  EXPECT_EQ(load(in_window(5000)), 'X');
  EXPECT_EQ(get(1, 5000), "X");
  put("written", 2 * page);
  EXPECT_EQ(std::string(at + 2 * page, 7), "written");
}

TEST_P(host_file, holes_are_zeros_until_somebody_stores) {
  XIP_BEGIN_HOST_TEST();
  resize(8 * large);
  char* at = map(8 * large);
  char* other = map(8 * large);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(load(at + i * large), 0);
  EXPECT_EQ(blocks(), 0u);
  store(other + large + 7, 'x');
  EXPECT_EQ(load(at + large + 7), 'x');
  EXPECT_EQ(blocks(), large / page) << "2 MiB at once";
  store(at + large + page, 'y');
  EXPECT_EQ(get(1, static_cast<loff_t>(large + page)), "y");
  put("w", 5);
  EXPECT_EQ(load(at + 5), 'w');
}

TEST_P(host_file, a_store_behind_a_sync_is_tracked_again) {
  XIP_BEGIN_HOST_TEST();
  put(pattern(2 * large), 0);
  char* at = map(2 * large);
  store(at, 'a');
  const std::uint64_t first = space().faults().minor;
  EXPECT_EQ(first, 1u);
  store(at + large - 1, 'b');
  EXPECT_EQ(space().faults().minor, first) << "2 MiB are one";
  store(at + large, 'c');
  EXPECT_EQ(space().faults().minor, first + 1);
  ASSERT_TRUE(mm::msync(t(), address(at), large, MS_SYNC));
  store(at + large + 1, 'd');
  EXPECT_EQ(space().faults().minor, first + 1) << "what was not synced stays writable";
  store(at + 1, 'e');
  EXPECT_EQ(space().faults().minor, first + 2);
  ASSERT_TRUE(t().fsync(fd));
  store(at + large + 1, 'f');
  EXPECT_EQ(space().faults().minor, first + 3);
}

TEST_P(host_file, ends_where_the_file_ends) {
  XIP_BEGIN_HOST_TEST();
  put(pattern(2 * page), 0);
  char* at = map(4 * page);
  const outcome load_behind = attempt([&] { static_cast<void>(load(at + 2 * page + 9)); });
  EXPECT_EQ(load_behind.signal, SIGBUS);
  EXPECT_EQ(load_behind.code, BUS_ADRERR);
  EXPECT_EQ(load_behind.address, at + 2 * page + 9);
  EXPECT_EQ(attempt([&] { store(at + 3 * page, 'x'); }).address, at + 3 * page);
  resize(page);
  EXPECT_EQ(attempt([&] { static_cast<void>(load(at + page)); }).signal, SIGBUS);
  resize(3 * page);
  EXPECT_EQ(attempt([&] { EXPECT_EQ(load(at + page), 0); }).signal, 0);
  EXPECT_EQ(attempt([&] { store(at + 2 * page, 'x'); }).signal, 0);
  EXPECT_EQ(get(1, 2 * page), "x");
}

TEST_P(host_file, a_punched_range_reads_as_zeros) {
  XIP_BEGIN_HOST_TEST();
  put(std::string(4 * page, 'o'), 0);
  char* at = map(4 * page);
  store(at + page, 's');
  ASSERT_TRUE(t().fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page, 2 * page));
  EXPECT_EQ(load(at + page), 0);
  EXPECT_EQ(load(at + 3 * page), 'o');
  store(at + page, 'n');
  EXPECT_EQ(get(2, page), std::string("n\0", 2));
}

INSTANTIATE_TEST_SUITE_P(traps, host_file, ::testing::Values(trap_by::sigsegv, trap_by::userfaultfd), name_of_traps);

}  // namespace
}  // namespace xip::host
