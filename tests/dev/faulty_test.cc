// The faulty decorator fails what its rules name, and nothing else.
#include <array>

#include <xip/locks/clock.h>
#include <xip/locks/kthread.h>

#include "dev/device_fixture.h"
#include "locks/toy_scheduler.h"

namespace xip::dev {
namespace {

using std::chrono::milliseconds;
using test::pattern;
using what = fault_rule::what;

constexpr std::uint64_t device_bytes = 64 << 10;

class faults : public testing::Test {
 protected:
  int read(std::uint64_t offset, std::size_t bytes) {
    std::vector<std::byte> out(bytes);
    return test::errno_of(device_->read(offset, out));
  }
  int write(std::uint64_t offset, std::size_t bytes) { return test::errno_of(device_->write(offset, pattern(bytes, 1))); }
  // Bytes of the window, or minus the errno.
  long window_bytes(std::uint64_t offset, std::size_t bytes, access_intent intent = access_intent::read) {
    const auto w = device_->direct_access(offset, bytes, intent);
    return w ? static_cast<long>(w->bytes) : -w.error().number();
  }

  // What lies on the device itself.
  std::vector<std::byte> medium(std::uint64_t offset, std::size_t bytes) {
    std::vector<std::byte> out(bytes);
    EXPECT_TRUE(below_->read(offset, out).has_value());
    return out;
  }

  test::watched_by_lockdep watched_;
  std::unique_ptr<device> below_ = std::move(*open_memory(device_bytes));
  std::unique_ptr<faulty_device> device_ = make_faulty(*below_);
};

TEST_F(faults, none_without_a_rule) {
  EXPECT_EQ(write(0, device_bytes), 0);
  EXPECT_EQ(read(0, device_bytes), 0);
  EXPECT_EQ(window_bytes(0, device_bytes, access_intent::write), static_cast<long>(device_bytes));
  EXPECT_TRUE(device_->flush_cache().has_value());
}

TEST_F(faults, eio_for_reads_of_a_range) {
  (void)device_->add({.kind = what::eio_read, .offset = 8192, .bytes = 4096});
  EXPECT_EQ(read(0, 8192), 0);
  EXPECT_EQ(read(8191, 2), EIO);
  EXPECT_EQ(read(12287, 1), EIO);
  EXPECT_EQ(read(12288, 4096), 0);
  EXPECT_EQ(window_bytes(8192, 1), -EIO);
  EXPECT_EQ(write(8192, 4096), 0);
}

TEST_F(faults, eio_for_writes_changes_nothing) {
  (void)device_->add({.kind = what::eio_write, .offset = 4096, .bytes = 1});
  EXPECT_EQ(write(0, 8192), EIO);
  std::vector<std::byte> out(8192);
  ASSERT_TRUE(below_->read(0, out).has_value());
  EXPECT_EQ(out, std::vector<std::byte>(8192));
  EXPECT_EQ(window_bytes(4096, 10, access_intent::write), -EIO);
  EXPECT_EQ(read(0, 8192), 0);
}

TEST_F(faults, skip_and_times_count_accesses) {
  (void)device_->add({.kind = what::eio_read, .skip = 2, .times = 2});
  std::vector<int> seen;
  for (int i = 0; i < 6; ++i) seen.push_back(read(0, 512));
  EXPECT_EQ(seen, (std::vector<int>{0, 0, EIO, EIO, 0, 0}));
}

TEST_F(faults, a_batch_is_one_access) {
  (void)device_->add({.kind = what::eio_write, .skip = 1, .times = 1});
  auto data = pattern(1024, 1);
  const io_piece pieces[] = {{0, data.data(), 512}, {4096, data.data(), 512}};
  EXPECT_TRUE(device_->write_batch(pieces).has_value());
  EXPECT_EQ(test::errno_of(device_->write_batch(pieces)), EIO);
  EXPECT_TRUE(device_->write_batch(pieces).has_value());
}

TEST_F(faults, flush_fails_by_rule) {
  (void)device_->add({.kind = what::eio_flush, .times = 1});
  EXPECT_EQ(test::errno_of(device_->flush_cache()), EIO);
  EXPECT_TRUE(device_->flush_cache().has_value());
  EXPECT_EQ(below_->stats().flushes, 1u);
}

TEST_F(faults, end_when_their_rule_is_removed) {
  const std::uint32_t first = device_->add({.kind = what::eio_read});
  const std::uint32_t second = device_->add({.kind = what::eio_write});
  EXPECT_NE(first, second);
  device_->remove(first);
  EXPECT_EQ(read(0, 1), 0);
  EXPECT_EQ(write(0, 1), EIO);
  device_->remove(second);
  device_->remove(12345);
  EXPECT_EQ(write(0, 1), 0);
}

TEST_F(faults, ranges_do_not_overflow) {
  (void)device_->add({.kind = what::eio_read, .offset = device_bytes - 1, .bytes = ~std::uint64_t{0}});
  EXPECT_EQ(read(0, device_bytes - 1), 0);
  EXPECT_EQ(read(device_bytes - 1, 1), EIO);
  EXPECT_EQ(read(0, device_bytes + 1), ERANGE);
}

TEST_F(faults, windows_are_cut_short) {
  (void)device_->add({.kind = what::short_window, .offset = 6000});
  (void)device_->add({.kind = what::short_window, .offset = 5000, .times = 1});
  EXPECT_EQ(window_bytes(4096, 4096), 5000 - 4096);
  EXPECT_EQ(window_bytes(4096, 4096), 6000 - 4096);
  EXPECT_EQ(window_bytes(6000, 4096), 4096);
  EXPECT_EQ(window_bytes(0, 6000), 6000);
}

TEST_F(faults, windows_end_before_poison_and_do_not_begin_in_it) {
  (void)device_->add({.kind = what::poison, .offset = 10000, .bytes = 64});
  EXPECT_EQ(window_bytes(8192, 4096), 10000 - 8192);
  EXPECT_EQ(window_bytes(10000, 1), -EIO);
  EXPECT_EQ(window_bytes(10063, 100), -EIO);
  EXPECT_EQ(window_bytes(10064, 100), 100);
  EXPECT_EQ(window_bytes(8192, 4096, access_intent::write), 10000 - 8192);
}

TEST_F(faults, requests_touching_poison_fail_unless_they_write_whole_pages) {
  (void)device_->add({.kind = what::poison, .offset = 10000, .bytes = 64});
  EXPECT_EQ(read(9000, 1001), EIO);
  EXPECT_EQ(read(9000, 1000), 0);
  EXPECT_EQ(write(9000, 2000), EIO);
  EXPECT_EQ(write(8193, 4096), EIO);
  EXPECT_EQ(read(10000, 64), EIO);
  EXPECT_EQ(write(8192, 4096), 0);
  EXPECT_EQ(read(8192, 4096), 0);
  EXPECT_EQ(window_bytes(8192, 8192), 8192);
}

TEST_F(faults, a_write_clears_poison_page_by_page) {
  (void)device_->add({.kind = what::poison, .offset = 8192, .bytes = 3 * 4096});
  EXPECT_EQ(write(12288, 4096), 0);
  EXPECT_EQ(read(8192, 4096), EIO);
  EXPECT_EQ(read(12288, 4096), 0);
  EXPECT_EQ(read(16384, 1), EIO);
  EXPECT_EQ(window_bytes(12288, 8192), 4096);
}

TEST_F(faults, removing_a_rule_removes_all_parts_of_its_poison) {
  const std::uint32_t number = device_->add({.kind = what::poison, .offset = 0, .bytes = 3 * 4096});
  EXPECT_EQ(write(4096, 4096), 0);
  device_->remove(number);
  EXPECT_EQ(read(0, 3 * 4096), 0);
}

TEST_F(faults, a_write_that_fails_below_clears_no_poison) {
  const auto top = make_faulty(*device_);
  (void)top->add({.kind = what::poison, .offset = 0, .bytes = 4096});
  (void)device_->add({.kind = what::eio_write, .times = 1});
  std::vector<std::byte> page(4096);
  EXPECT_EQ(test::errno_of(top->write(0, page)), EIO);
  EXPECT_EQ(test::errno_of(top->read(0, page)), EIO);
}

// The bad-block record goes last: readers stay out until the new bytes are drained.
TEST_F(faults, recovery_writes_clear_poison_at_the_drain) {
  (void)device_->add({.kind = what::poison, .offset = 10000, .bytes = 64});
  const auto w = device_->direct_access(8192, 4096, access_intent::recovery_write);
  ASSERT_TRUE(w.has_value());
  ASSERT_EQ(w->bytes, 4096u);
  const auto data = pattern(4096, 2);
  device_->copy_in(w->data, data.data(), 4096);
  EXPECT_EQ(window_bytes(10000, 1), -EIO);
  device_->drain();
  EXPECT_EQ(window_bytes(8192, 4096), 4096);
  std::vector<std::byte> out(4096);
  ASSERT_TRUE(device_->read(8192, out).has_value());
  EXPECT_EQ(out, data);
}

TEST_F(faults, recovery_writes_need_whole_pages) {
  (void)device_->add({.kind = what::poison, .offset = 8192, .bytes = 8192});
  EXPECT_EQ(window_bytes(8192, 100, access_intent::recovery_write), -EIO);
  EXPECT_EQ(window_bytes(8200, 8000, access_intent::recovery_write), -EIO);
  EXPECT_EQ(window_bytes(4100, 8000, access_intent::recovery_write), 8192 - 4100);
  EXPECT_EQ(window_bytes(8192, 6000, access_intent::recovery_write), 4096);
  device_->drain();
  EXPECT_EQ(read(8192, 4096), 0);
  EXPECT_EQ(read(12288, 1), EIO);
}

// Three pieces, apart on the device and out of order, of 512 bytes each.
std::array<io_piece, 3> pieces_of(std::span<std::byte> memory) {
  return {io_piece{8192, memory.data(), 512}, io_piece{0, memory.data() + 512, 512}, io_piece{20000, memory.data() + 1024, 512}};
}

TEST_F(faults, a_short_write_moves_its_first_bytes_and_fails) {
  auto old = pattern(1536, 1), young = pattern(1536, 2);
  ASSERT_TRUE(device_->write_batch(pieces_of(old)).has_value());
  (void)device_->add({.kind = what::short_write, .moved = 700});
  EXPECT_EQ(test::errno_of(device_->write_batch(pieces_of(young))), EIO);
  std::vector<std::byte> now(1536), expected = old;
  ASSERT_TRUE(device_->read_batch(pieces_of(now)).has_value());
  std::copy_n(young.begin(), 700, expected.begin());
  EXPECT_EQ(now, expected);
}

TEST_F(faults, a_short_read_moves_its_first_bytes_and_fails) {
  auto data = pattern(1536, 3);
  ASSERT_TRUE(device_->write_batch(pieces_of(data)).has_value());
  (void)device_->add({.kind = what::short_read, .moved = 1024});
  std::vector<std::byte> got(1536, std::byte{0xee}), expected = got;
  EXPECT_EQ(test::errno_of(device_->read_batch(pieces_of(got))), EIO);
  std::copy_n(data.begin(), 1024, expected.begin());
  EXPECT_EQ(got, expected);
}

TEST_F(faults, a_short_transfer_may_move_nothing) {
  (void)device_->add({.kind = what::short_write});
  EXPECT_EQ(write(0, 4096), EIO);
  EXPECT_EQ(medium(0, 4096), std::vector<std::byte>(4096));
}

TEST_F(faults, a_request_of_no_more_than_moves_is_whole_and_not_counted) {
  (void)device_->add({.kind = what::short_write, .times = 1, .moved = 4096});
  EXPECT_EQ(write(0, 4096), 0);
  EXPECT_EQ(write(0, 4097), EIO);
  EXPECT_EQ(write(0, 4097), 0);
}

TEST_F(faults, short_transfers_are_of_one_direction_and_place) {
  (void)device_->add({.kind = what::short_write, .offset = 8192, .bytes = 1, .moved = 10});
  EXPECT_EQ(read(8192, 100), 0);
  EXPECT_EQ(write(4096, 4096), 0);
  EXPECT_EQ(write(4096, 4097), EIO);
  EXPECT_EQ(window_bytes(8192, 4096, access_intent::write), 4096);
  (void)device_->add({.kind = what::short_read, .offset = 8192, .bytes = 1, .moved = 10});
  EXPECT_EQ(read(8192, 100), EIO);
}

TEST_F(faults, of_short_transfers_the_shortest_holds) {
  for (const std::uint64_t moved : {3000u, 1000u, 2000u}) (void)device_->add({.kind = what::short_write, .moved = moved});
  EXPECT_EQ(write(0, 4096), EIO);
  auto expected = pattern(4096, 1);
  std::fill(expected.begin() + 1000, expected.end(), std::byte{});
  EXPECT_EQ(medium(0, 4096), expected);
}

TEST_F(faults, a_short_write_clears_the_poison_of_the_pages_it_wrote) {
  (void)device_->add({.kind = what::poison, .offset = 0, .bytes = 8192});
  (void)device_->add({.kind = what::short_write, .times = 1, .moved = 6000});
  EXPECT_EQ(write(0, 8192), EIO);
  EXPECT_EQ(read(0, 4096), 0);
  EXPECT_EQ(read(4096, 1), EIO);
}

TEST_F(faults, slow_requests_take_their_time_on_the_schedulers_clock) {
  const std::uint32_t all = device_->add({.kind = what::slow, .delay = milliseconds{2}});
  (void)device_->add({.kind = what::slow, .offset = 4096, .bytes = 1, .delay = milliseconds{40}});
  xip::test::toy_scheduler toy{1};
  toy.run([&] {
    const auto taken_by = [](auto&& body) {
      const nanoseconds before = monotonic_now();
      body();
      return monotonic_now() - before;
    };
    EXPECT_EQ(taken_by([&] { EXPECT_EQ(read(0, 4096), 0); }), milliseconds{2});
    EXPECT_EQ(taken_by([&] { EXPECT_EQ(write(0, 8192), 0); }), milliseconds{42}) << "one access, two rules";
    EXPECT_EQ(taken_by([&] { EXPECT_TRUE(device_->flush_cache().has_value()); }), milliseconds{42});
    EXPECT_EQ(taken_by([&] { EXPECT_EQ(window_bytes(4096, 4096), 4096); }), nanoseconds::zero());
    device_->remove(all);
    EXPECT_EQ(taken_by([&] { EXPECT_EQ(read(0, 4096), 0); }), nanoseconds::zero());
  });
}

TEST_F(faults, slow_requests_fail_late) {
  (void)device_->add({.kind = what::slow, .delay = milliseconds{2}});
  for (const what kind : {what::eio_read, what::eio_write, what::eio_flush}) (void)device_->add({.kind = kind});
  xip::test::toy_scheduler toy{1};
  toy.run([&] {
    EXPECT_EQ(read(0, 1), EIO);
    EXPECT_EQ(write(0, 1), EIO);
    EXPECT_EQ(test::errno_of(device_->flush_cache()), EIO);
    EXPECT_EQ(monotonic_now(), milliseconds{6});
  });
}

// Who waits for a slow device holds none of its locks.
TEST_F(faults, slow_requests_hold_up_nobody_else) {
  (void)device_->add({.kind = what::slow, .offset = 0, .bytes = 1, .delay = milliseconds{2}});
  xip::test::toy_scheduler toy{1};
  toy.run([&] {
    auto slow = kthread::run("slow", *std::pmr::new_delete_resource(), [&] { EXPECT_EQ(write(0, 1), 0); });
    ASSERT_TRUE(slow.has_value());
    while (toy.blocked == 0) EXPECT_EQ(read(8192, 1), 0);
    EXPECT_EQ(read(8192, 1), 0);
    EXPECT_EQ(monotonic_now(), nanoseconds::zero());
    slow->join();
    EXPECT_EQ(monotonic_now(), milliseconds{2});
  });
}

TEST_F(faults, stack) {
  const auto top = make_faulty(*device_);
  (void)device_->add({.kind = what::poison, .offset = 8192, .bytes = 1});
  (void)top->add({.kind = what::short_window, .offset = 4096});
  const auto bytes = [&](std::uint64_t offset) { return top->direct_access(offset, 16384, access_intent::read).value_or(window{}).bytes; };
  EXPECT_EQ(bytes(0), 4096u);
  EXPECT_EQ(bytes(4096), 4096u);
  EXPECT_EQ(bytes(8192), 0u);
}

TEST_F(faults, strike_devices_without_windows_too) {
  const test::scratch_file file{device_bytes};
  const opened block = open_block(file.path());
  if (!block) GTEST_SKIP() << block.error().message;
  const auto top = make_faulty(**block);
  (void)top->add({.kind = what::poison, .offset = 0, .bytes = 1});
  std::vector<std::byte> page(4096);
  EXPECT_FALSE(top->has_direct_access());
  EXPECT_EQ(test::errno_of(top->read(0, page)), EIO);
  EXPECT_EQ(test::errno_of(top->write(0, page)), 0);
  EXPECT_EQ(test::errno_of(top->read(0, page)), 0);
}

}  // namespace
}  // namespace xip::dev
