// What every device must do, whatever it is made of.
#include <array>
#include <atomic>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>

#include <xip/locks/kthread.h>

#include "dev/device_fixture.h"
#include "support/heap_counter.h"

namespace xip::dev {
namespace {

using test::kind;
using test::pattern;
using xip::test::heap_allocations_of_this_thread;

constexpr std::uint64_t device_bytes = 256 << 10;

class any_device : public testing::TestWithParam<kind> {
 protected:
  void SetUp() override { reopen(false); }

  void reopen(bool read_only) {
    device_.reset();
    opened o = open_kind(GetParam(), file_.path(), device_bytes, read_only);
    if (!o && denied_by_host(GetParam(), o.error())) GTEST_SKIP() << o.error().message;
    ASSERT_TRUE(o.has_value()) << o.error().message;
    device_ = std::move(*o);
  }
  [[nodiscard]] std::vector<std::byte> read_back(std::uint64_t offset, std::size_t bytes) {
    std::vector<std::byte> out(bytes);
    EXPECT_TRUE(device_->read(offset, out).has_value());
    return out;
  }

  test::watched_by_lockdep watched_;
  test::scratch_file file_{device_bytes};
  std::unique_ptr<device> device_;
};

class any_window : public any_device {};  // of those that have windows
class any_file : public any_device {};    // of those that are opened by name

TEST_P(any_device, has_the_size_of_what_it_is_made_of) { EXPECT_EQ(device_->size(), device_bytes); }

TEST_P(any_device, reads_back_what_was_written_wherever_it_lies) {
  for (const std::uint64_t offset :
       {std::uint64_t{0}, std::uint64_t{4096}, std::uint64_t{1024}, std::uint64_t{777}, std::uint64_t{65535}}) {
    for (const std::size_t bytes : {1, 512, 1000, 4096, 5000, 70000}) {
      const auto data = pattern(bytes, static_cast<unsigned>(offset + bytes));
      ASSERT_TRUE(device_->write(offset, data).has_value());
      ASSERT_EQ(read_back(offset, bytes), data) << bytes << " bytes at " << offset;
    }
  }
}

TEST_P(any_device, leaves_the_neighbours_of_a_write_alone) {
  const auto before = pattern(16384, 1);
  ASSERT_TRUE(device_->write(0, before).has_value());
  const auto middle = pattern(5000, 2);
  ASSERT_TRUE(device_->write(3333, middle).has_value());
  auto expected = before;
  std::ranges::copy(middle, expected.begin() + 3333);
  EXPECT_EQ(read_back(0, 16384), expected);
}

TEST_P(any_device, makes_one_batch_of_many_pieces) {
  auto data = pattern(40 * 4096, 3);
  std::vector<io_piece> pieces;
  for (std::size_t i = 0; i < 40; ++i) pieces.push_back({(39 - i) * 4096, data.data() + i * 4096, 4096});
  const device_stats before = device_->stats();
  ASSERT_TRUE(device_->write_batch(pieces).has_value());
  EXPECT_EQ(device_->stats().pieces - before.pieces, 40u);
  if (GetParam() != kind::block_direct) {  // its memory is not aligned here, and the pool is smaller than the batch
    EXPECT_EQ(device_->stats().batches - before.batches, 1u);
  }
  for (std::size_t i = 0; i < 40; ++i) {
    const auto found = read_back((39 - i) * 4096, 4096);
    ASSERT_EQ(std::memcmp(found.data(), data.data() + i * 4096, 4096), 0) << "piece " << i;
  }
}

TEST_P(any_device, takes_empty_batches_and_empty_pieces) {
  EXPECT_TRUE(device_->read_batch({}).has_value());
  EXPECT_TRUE(device_->write_batch({}).has_value());
  std::byte byte{7};
  const std::array pieces{io_piece{0, nullptr, 0}, io_piece{5, &byte, 1}, io_piece{device_bytes, nullptr, 0}};
  EXPECT_TRUE(device_->write_batch(pieces).has_value());
  EXPECT_EQ(read_back(5, 1)[0], byte);
}

TEST_P(any_device, refuses_what_lies_outside) {
  std::vector<std::byte> memory(8192);
  EXPECT_EQ(test::errno_of(device_->read(device_bytes, {memory.data(), 1})), ERANGE);
  EXPECT_EQ(test::errno_of(device_->read(device_bytes - 1, {memory.data(), 2})), ERANGE);
  EXPECT_EQ(test::errno_of(device_->write(~std::uint64_t{0}, memory)), ERANGE);
  EXPECT_EQ(test::errno_of(device_->write(~std::uint64_t{0} - 100, memory)), ERANGE);
  const io_piece endless{512, memory.data(), ~std::size_t{0}};
  EXPECT_EQ(test::errno_of(device_->read_batch({&endless, 1})), ERANGE);
  const io_piece nowhere{0, nullptr, 512};
  EXPECT_EQ(test::errno_of(device_->read_batch({&nowhere, 1})), EFAULT);
}

TEST_P(any_device, writes_nothing_of_a_batch_that_is_refused) {
  auto data = pattern(4096, 4);
  const std::array pieces{io_piece{0, data.data(), 4096}, io_piece{device_bytes, data.data(), 4096}};
  EXPECT_EQ(test::errno_of(device_->write_batch(pieces)), ERANGE);
  EXPECT_EQ(read_back(0, 4096), std::vector<std::byte>(4096));
}

TEST_P(any_device, counts_flushes) {
  ASSERT_TRUE(device_->write(0, pattern(100, 1)).has_value());
  ASSERT_TRUE(device_->flush_cache().has_value());
  ASSERT_TRUE(device_->flush_cache().has_value());
  EXPECT_EQ(device_->stats().flushes, 2u);
}

TEST_P(any_device, answers_eio_when_killed) {
  device_->kill();
  std::vector<std::byte> memory(4096);
  EXPECT_TRUE(device_->killed());
  EXPECT_EQ(test::errno_of(device_->read(0, memory)), EIO);
  EXPECT_EQ(test::errno_of(device_->write(0, memory)), EIO);
  EXPECT_EQ(test::errno_of(device_->flush_cache()), EIO);
  EXPECT_EQ(test::errno_of(device_->direct_access(0, 4096, access_intent::read)), EIO);
  device_->discard(0, 4096);
}

TEST_P(any_file, keeps_what_was_written_when_it_is_opened_again) {
  const auto data = pattern(10000, 5);
  ASSERT_TRUE(device_->write(4000, data).has_value());
  ASSERT_TRUE(device_->flush_cache().has_value());
  reopen(true);
  EXPECT_EQ(read_back(4000, data.size()), data);
  EXPECT_EQ(std::filesystem::file_size(file_.path()), device_bytes);
}

TEST_P(any_file, changes_nothing_when_opened_for_reading) {
  const auto state = [&] {
    struct stat s{};
    EXPECT_EQ(::stat(file_.path().c_str(), &s), 0);
    return std::array{s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_ctim.tv_sec, s.st_ctim.tv_nsec, s.st_atim.tv_sec, s.st_atim.tv_nsec};
  };
  device_.reset();
  const auto before = state();
  reopen(true);
  EXPECT_TRUE(device_->read_only());
  EXPECT_EQ(read_back(0, 8192), std::vector<std::byte>(8192));
  EXPECT_EQ(test::errno_of(device_->write(0, pattern(512, 1))), EROFS);
  EXPECT_TRUE(device_->flush_cache().has_value());
  device_->discard(0, device_bytes);
  device_.reset();
  EXPECT_EQ(state(), before);
}

TEST_P(any_device, reads_zeros_or_the_old_bytes_after_a_discard) {
  const auto data = pattern(65536, 6);
  ASSERT_TRUE(device_->write(0, data).has_value());
  device_->discard(0, 32768);
  const auto found = read_back(0, 65536);
  EXPECT_TRUE(std::ranges::equal(std::span{found}.subspan(32768), std::span{data}.subspan(32768)));
  const bool zeros = std::ranges::all_of(std::span{found}.first(32768), [](std::byte b) { return b == std::byte{0}; });
  EXPECT_TRUE(zeros || std::ranges::equal(std::span{found}.first(32768), std::span{data}.first(32768)));
}

TEST_P(any_device, allocates_nothing_for_requests) {
  std::vector<std::byte> memory(64 << 10);
  std::array<io_piece, 3> pieces{io_piece{0, memory.data(), 4096}, io_piece{9000, memory.data() + 4096, 700},
                                 io_piece{65536, memory.data(), 65536}};
  const auto round = [&] {
    return device_->write_batch(pieces).has_value() && device_->read_batch(pieces).has_value() && device_->flush_cache().has_value();
  };
  ASSERT_TRUE(round());
  const auto before = heap_allocations_of_this_thread();
  ASSERT_TRUE(round());
  EXPECT_EQ(heap_allocations_of_this_thread(), before);
}

TEST_P(any_window, moves_bytes_in_and_out) {
  const auto data = pattern(5000, 7);
  const auto w = device_->direct_access(4096, 8192, access_intent::write);
  ASSERT_TRUE(w.has_value());
  ASSERT_EQ(w->bytes, 8192u);
  device_->copy_in(w->data + 10, data.data(), data.size());
  device_->zero(w->data + 20, 30);
  device_->store(w->data, "stored", 6);
  device_->flush(w->data, 6);
  device_->drain();

  auto expected = data;
  std::fill_n(expected.begin() + 10, 30, std::byte{0});
  EXPECT_EQ(read_back(4106, 5000), expected);
  std::vector<std::byte> out(5000);
  const auto r = device_->direct_access(4106, 5000, access_intent::read);
  ASSERT_TRUE(r.has_value());
  device_->copy_out(out.data(), r->data, r->bytes);
  EXPECT_EQ(out, expected);
  EXPECT_EQ(std::memcmp(read_back(4096, 6).data(), "stored", 6), 0);
}

TEST_P(any_window, copies_every_size_whole) {
  const auto data = pattern(16384 + 3, 6);
  const auto w = device_->direct_access(0, 65536, access_intent::write);
  ASSERT_TRUE(w.has_value());
  for (const std::size_t border : {std::size_t{0}, std::size_t{2048}, std::size_t{4096}, std::size_t{6144}, std::size_t{16384}}) {
    for (const std::size_t more : {0, 1, 2}) {
      const std::size_t bytes = border + more;
      device_->zero(w->data, bytes + 1);
      device_->copy_in(w->data, data.data(), bytes);
      std::vector<std::byte> out(bytes + 1);
      device_->copy_out(out.data(), w->data, bytes + 1);
      EXPECT_EQ(std::memcmp(out.data(), data.data(), bytes), 0) << bytes;
      EXPECT_EQ(out[bytes], std::byte{0}) << bytes;
    }
  }
}

TEST_P(any_window, takes_a_hint_for_any_place) {
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{device_bytes - 1}, std::uint64_t{device_bytes}, ~std::uint64_t{0}})
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, ~std::size_t{0}}) device_->prefetch(offset, bytes);
  device_->kill();
  device_->prefetch(0, 4096);
}

TEST_P(any_window, refuses_windows_outside) {
  EXPECT_EQ(test::errno_of(device_->direct_access(device_bytes, 1, access_intent::read)), ERANGE);
  EXPECT_EQ(test::errno_of(device_->direct_access(device_bytes - 4096, 8192, access_intent::read)), ERANGE);
  EXPECT_EQ(test::errno_of(device_->direct_access(~std::uint64_t{0}, 8192, access_intent::write)), ERANGE);
}

TEST_P(any_window, keeps_old_windows_usable_when_killed) {
  const auto w = device_->direct_access(0, 4096, access_intent::write);
  ASSERT_TRUE(w.has_value());
  device_->kill();
  const auto data = pattern(4096, 8);
  std::vector<std::byte> out(4096);
  device_->copy_in(w->data, data.data(), 4096);
  device_->flush(w->data, 4096);
  device_->drain();
  device_->copy_out(out.data(), w->data, 4096);
  EXPECT_EQ(out, data);
  device_->zero(w->data, 4096);
  EXPECT_EQ(w->data[4095], std::byte{0});
  EXPECT_TRUE(device_->has_direct_access());
}

TEST_P(any_file, refuses_to_write_when_read_only) {
  reopen(true);
  std::vector<std::byte> memory(4096);
  EXPECT_EQ(test::errno_of(device_->write(0, memory)), EROFS);
  EXPECT_TRUE(device_->read(0, memory).has_value());
  if (!device_->has_direct_access()) return;
  EXPECT_TRUE(device_->direct_access(0, 4096, access_intent::read).has_value());
  EXPECT_EQ(test::errno_of(device_->direct_access(0, 4096, access_intent::write)), EROFS);
  EXPECT_EQ(test::errno_of(device_->direct_access(0, 4096, access_intent::recovery_write)), EROFS);
}

// For ThreadSanitizer. A mapping of the file is the same memory: its stores come whenever they like, and only words are whole.
TEST_P(any_window, copies_beside_stores_through_a_mapping) {
  const result<window> w = device_->direct_access(0, 4096, access_intent::write);
  ASSERT_TRUE(w.has_value());
  const auto store = [mapping = w->data](std::byte value) {
    for (std::size_t i = 0; i < 4096; ++i) *static_cast<volatile std::byte*>(mapping + i) = value;
  };
  std::atomic<bool> stop{false};
  auto program = kthread::run("program", *std::pmr::new_delete_resource(), [&] {
    while (!stop) store(std::byte{1});
  });
  ASSERT_TRUE(program.has_value());
  const std::vector<std::byte> written(4096, std::byte{2});
  std::vector<std::byte> read(4096);
  for (int i = 0; i < 100; ++i) {
    device_->copy_out(read.data(), w->data, read.size());
    device_->copy_in(w->data, written.data(), written.size());
    device_->drain();
    for (const std::byte b : read) ASSERT_LE(b, std::byte{2});
  }
  stop = true;
}

TEST_P(any_window, allocates_nothing) {
  const auto data = pattern(4096, 9);
  const auto round = [&] {
    const auto w = device_->direct_access(8192, 4096, access_intent::write);
    device_->copy_in(w->data, data.data(), 4096);
    device_->zero(w->data, 100);
    device_->drain();
    return device_->flush_cache().has_value();
  };
  ASSERT_TRUE(round());
  const auto before = heap_allocations_of_this_thread();
  ASSERT_TRUE(round());
  EXPECT_EQ(heap_allocations_of_this_thread(), before);
}

INSTANTIATE_TEST_SUITE_P(kinds, any_device, testing::Values(kind::memory, kind::pmem, kind::block, kind::block_direct, kind::plain),
                         test::kind_name);
INSTANTIATE_TEST_SUITE_P(kinds, any_window, testing::Values(kind::memory, kind::pmem), test::kind_name);
INSTANTIATE_TEST_SUITE_P(kinds, any_file, testing::Values(kind::pmem, kind::block, kind::block_direct, kind::plain), test::kind_name);

TEST(memory_device, can_be_mapped_a_second_time) {
  const opened d = open_memory(1 << 20);
  ASSERT_TRUE(d.has_value());
  const auto data = pattern(4096, 1);
  ASSERT_TRUE((*d)->write(4096, data).has_value());
  std::vector<std::byte> out(4096);
  ASSERT_EQ(::pread(memory_fd(**d), out.data(), 4096, 4096), 4096);
  EXPECT_EQ(out, data);
}

TEST(memory_device, is_the_only_one_with_a_memory_fd) {
  const test::scratch_file file{8192};
  const opened d = open_pmem(file.path(), false);
  ASSERT_TRUE(d.has_value()) << d.error().message;
  EXPECT_EQ(memory_fd(**d), -1);
}

// libpmem reads PMEM_IS_PMEM_FORCE when the program starts, so another program runs the tests of pmem with it.
TEST(pmem_device, passes_the_same_tests_when_libpmem_is_told_to_trust_it) {
  if (::getenv("PMEM_IS_PMEM_FORCE") != nullptr) GTEST_SKIP() << "this is that program";
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = "PMEM_IS_PMEM_FORCE=1 GTEST_OUTPUT= '" + self + "' --gtest_brief=1 --gtest_filter='kinds/*pmem' >/dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

}  // namespace
}  // namespace xip::dev
