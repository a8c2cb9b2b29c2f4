// The recording decorator sees each store, in order, and changes nothing.
#include <cstring>

#include "dev/device_fixture.h"

namespace xip::dev {
namespace {

using test::pattern;

constexpr std::uint64_t device_bytes = 64 << 10;

// One line an event: "store 4096+100", "cached 0+8", "flush 0+8", "fence", "write 0+4096", "sync". Applies stores and writes to a copy.
struct logging_recorder final : recorder {
  std::vector<std::string> lines;
  std::vector<std::byte> shadow = std::vector<std::byte>(device_bytes);

  void note(const char* what, std::uint64_t offset, std::size_t bytes) {
    lines.push_back(std::string{what} + " " + std::to_string(offset) + "+" + std::to_string(bytes));
  }
  void on_store(std::uint64_t offset, std::span<const std::byte> bytes, bool cached) noexcept override {
    note(cached ? "cached" : "store", offset, bytes.size());
    std::ranges::copy(bytes, shadow.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void on_flush(std::uint64_t offset, std::size_t bytes) noexcept override { note("flush", offset, bytes); }
  void on_fence() noexcept override { lines.emplace_back("fence"); }
  void on_write(std::uint64_t offset, std::span<const std::byte> bytes) noexcept override {
    note("write", offset, bytes.size());
    std::ranges::copy(bytes, shadow.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void on_flush_cache() noexcept override { lines.emplace_back("sync"); }
};

class recording : public testing::Test {
 protected:
  std::vector<std::byte> contents() {
    std::vector<std::byte> out(device_bytes);
    EXPECT_TRUE(below_->read(0, out).has_value());
    return out;
  }
  using lines = std::vector<std::string>;

  std::unique_ptr<device> below_ = std::move(*open_memory(device_bytes));
  logging_recorder log_;
  std::unique_ptr<device> device_ = make_recording(*below_, log_);
};

TEST_F(recording, tells_every_window_function_in_order) {
  const auto w = device_->direct_access(4096, 8192, access_intent::write);
  ASSERT_TRUE(w.has_value());
  const auto data = pattern(100, 1);
  device_->copy_in(w->data + 1, data.data(), 100);
  device_->zero(w->data + 50, 10);
  device_->store(w->data + 4096, data.data(), 8);
  device_->flush(w->data + 4096, 8);
  device_->drain();
  EXPECT_EQ(log_.lines, (lines{"store 4097+100", "store 4146+10", "cached 8192+8", "flush 8192+8", "fence"}));
  EXPECT_EQ(log_.shadow, contents());
}

TEST_F(recording, tells_requests_that_succeeded) {
  auto data = pattern(8192, 2);
  const io_piece pieces[] = {{0, data.data(), 4096}, {16384, data.data() + 4096, 4096}, {8, nullptr, 0}};
  ASSERT_TRUE(device_->write_batch(pieces).has_value());
  EXPECT_FALSE(device_->write(device_bytes, data).has_value());
  ASSERT_TRUE(device_->flush_cache().has_value());
  EXPECT_EQ(log_.lines, (lines{"write 0+4096", "write 16384+4096", "sync"}));
  EXPECT_EQ(log_.shadow, contents());
}

TEST_F(recording, says_nothing_about_reads) {
  std::vector<std::byte> out(100);
  ASSERT_TRUE(device_->read(0, out).has_value());
  const auto w = device_->direct_access(0, 100, access_intent::read);
  device_->copy_out(out.data(), w->data, 100);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(recording, records_nothing_that_failed_below) {
  const auto faults = make_faulty(*below_);
  const auto top = make_recording(*faults, log_);
  (void)faults->add({.kind = fault_rule::what::eio_write});
  (void)faults->add({.kind = fault_rule::what::eio_flush});
  EXPECT_EQ(test::errno_of(top->write(0, pattern(512, 1))), EIO);
  EXPECT_EQ(test::errno_of(top->flush_cache()), EIO);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(recording, keeps_discards_from_the_medium) {
  ASSERT_TRUE(device_->write(0, pattern(8192, 3)).has_value());
  device_->discard(0, 8192);
  EXPECT_EQ(log_.shadow, contents());
}

TEST_F(recording, dies_alone) {
  device_->kill();
  EXPECT_EQ(test::errno_of(device_->direct_access(0, 1, access_intent::read)), EIO);
  EXPECT_EQ(test::errno_of(device_->write(0, pattern(1, 1))), EIO);
  EXPECT_EQ(test::errno_of(device_->flush_cache()), EIO);
  EXPECT_TRUE(log_.lines.empty());
  EXPECT_TRUE(below_->write(0, pattern(1, 1)).has_value());
}

TEST_F(recording, stands_on_any_device) {
  const test::scratch_file file{device_bytes};
  const opened block = open_block(file.path());
  if (!block) GTEST_SKIP() << block.error().message;
  const auto top = make_recording(**block, log_);
  EXPECT_FALSE(top->has_direct_access());
  EXPECT_EQ(test::errno_of(top->direct_access(0, 1, access_intent::read)), EOPNOTSUPP);
  ASSERT_TRUE(top->write(512, pattern(512, 1)).has_value());
  EXPECT_EQ(log_.lines, lines{"write 512+512"});
  EXPECT_EQ(top->name(), "recording:block:" + file.path());
}

TEST_F(recording, is_as_read_only_as_what_it_stands_on) {
  const test::scratch_file file{device_bytes};
  const opened pmem = open_pmem(file.path(), true);
  ASSERT_TRUE(pmem.has_value()) << pmem.error().message;
  const auto top = make_recording(**pmem, log_);
  EXPECT_TRUE(top->read_only());
  EXPECT_EQ(test::errno_of(top->direct_access(0, 1, access_intent::write)), EROFS);
  EXPECT_EQ(test::errno_of(top->write(0, pattern(1, 1))), EROFS);
}

TEST_F(recording, stacks) {
  logging_recorder outer;
  const auto top = make_recording(*device_, outer);
  const auto w = top->direct_access(0, 4096, access_intent::write);
  top->zero(w->data, 64);
  top->drain();
  EXPECT_EQ(outer.lines, (lines{"store 0+64", "fence"}));
  EXPECT_EQ(log_.lines, outer.lines);
}

// The fence is a named point once, however many decorators there are.
TEST_F(recording, hits_each_point_once) {
  struct counter final : point_sink {
    std::array<int, point_count> hits{};
    void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override { ++hits[static_cast<std::size_t>(p)]; }
    int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
  } sink;
  const auto faults = make_faulty(*device_);
  current_point_sink = &sink;
  faults->drain();
  (void)faults->flush_cache();
  below_->drain();
  current_point_sink = nullptr;
  EXPECT_EQ(sink.hits[static_cast<std::size_t>(point::dev_fence)], 2);
  EXPECT_EQ(sink.hits[static_cast<std::size_t>(point::dev_flush)], 1);
}

}  // namespace
}  // namespace xip::dev
