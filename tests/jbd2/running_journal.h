// A journal that runs on a file system of nothing but blocks, each filled with one number, on a device that fails when it is told to.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/dev/decorator.h>
#include <xip/dev/devices.h>
#include <xip/locks/kthread.h>

#include "jbd2/journal.h"
#include "jbd2/recovery.h"

namespace xip::jbd2::test {

inline constexpr unsigned bits = 10;
inline constexpr std::uint32_t bs = 1u << bits;
inline constexpr std::uint64_t home_blocks = 1024;  // before the journal
inline constexpr std::uint32_t log_size = 1200;
inline constexpr std::uint64_t all_blocks = home_blocks + log_size;
inline constexpr pblk_t carried{1};

struct format {
  const char* name;
  bool checksums, wide;
};

// Fails when it is told to.
struct moody_device final : dev::decorator<dev::device> {
  explicit moody_device(dev::device& below) : decorator{below, "moody:"} {}
  [[nodiscard]] result<> write_batch(std::span<const dev::io_piece> pieces) noexcept override {
    if (writes_until_no_room != 0 && --writes_until_no_room == 0) return fail(ENOSPC);
    return decorator::write_batch(pieces);
  }
  [[nodiscard]] result<> flush_cache() noexcept override {
    ++flushes;
    if (on_flush) on_flush();
    return decorator::flush_cache();
  }
  std::uint32_t writes_until_no_room = 0;
  std::uint32_t flushes = 0;
  std::function<void()> on_flush;
};

// A file system that is nothing but blocks, each filled with one number.
class bench {
 public:
  explicit bench(const format& f, nanoseconds commit_interval = nanoseconds::zero())
      : format_{f}, commit_interval_{commit_interval}, memory_{*dev::open_memory(all_blocks << bits)} {
    journal_superblock jsb{};
    jsb.s_header = {journal_magic, superblock_v2, 0u};
    jsb.s_blocksize = bs;
    jsb.s_maxlen = log_size;
    jsb.s_first = 1;
    jsb.s_sequence = 1;
    jsb.s_nr_users = 1;
    for (std::size_t i = 0; i < sizeof jsb.s_uuid; ++i) jsb.s_uuid[i] = static_cast<std::uint8_t>(i * 5 + 3);
    EXPECT_TRUE(device_->write(home_blocks << bits, std::as_bytes(std::span{&jsb, 1})));
    open();
  }

  [[nodiscard]] result<> begin() {
    XIP_TRY(journal_->prepare_to_begin(message));
    return journal_->begin();
  }

  // As after a crash: nothing that is not on the medium is known any more.
  void open() {
    journal_.reset();
    buffers_.reset();
    buffers_.emplace(*device_, bits, *std::pmr::get_default_resource());
    make_journal();
    std::string why;
    EXPECT_TRUE(journal_->load(why)) << why;
  }

  [[nodiscard]] recovered recover() {
    log_map log{*std::pmr::get_default_resource()};
    EXPECT_TRUE(log.add({.first = 0, .count = log_size, .start = pblk_t{home_blocks}}));
    std::string why;
    auto done = jbd2::recover(
        {.device = *device_, .log = log, .block_bits = bits, .blocks = home_blocks, .memory = *std::pmr::get_default_resource()}, why);
    EXPECT_TRUE(done) << why;
    return done.value_or(recovered{});
  }

  // Under a handle of its own.
  void change(std::uint64_t block, std::uint32_t value) {
    ASSERT_TRUE(journal_->start_handle(1));
    put(block, value);
    journal_->stop_handle(1);
  }
  void put(std::uint64_t block, std::uint32_t value) {
    auto b = buffers_->get(pblk_t{block});
    ASSERT_TRUE(b);
    for (std::size_t at = 0; at < bs; at += sizeof value) std::memcpy((*b)->writable().data() + at, &value, sizeof value);
    buffers_->mark_dirty(**b);
  }
  void free(std::uint64_t block) {
    ASSERT_TRUE(journal_->start_handle(8));
    journal_->revoke(pblk_t{block});
    buffers_->forget(pblk_t{block});
    journal_->stop_handle(8);
  }
  // Past the journal.
  void write_as_data(std::uint64_t block, std::uint32_t value) {
    const std::vector<std::uint32_t> data(bs / sizeof value, value);
    ASSERT_TRUE(device_->write(block << bits, std::as_bytes(std::span{data})));
  }
  [[nodiscard]] std::uint32_t on_medium(std::uint64_t block) const {
    std::vector<std::uint32_t> words(bs / sizeof(std::uint32_t));
    EXPECT_TRUE(device_->read(block << bits, std::as_writable_bytes(std::span{words})));
    for (const std::uint32_t w : words) EXPECT_EQ(w, words[0]) << "block " << block << " is of two ages";
    return words[0];
  }
  [[nodiscard]] journal_superblock superblock() const {
    journal_superblock jsb;
    EXPECT_TRUE(device_->read(home_blocks << bits, std::as_writable_bytes(std::span{&jsb, 1})));
    return jsb;
  }

  // Why it is not loaded.
  [[nodiscard]] std::string refusal() {
    journal_.reset();
    make_journal();
    std::string why;
    return journal_->load(why) ? "loaded" : why;
  }

  journal& log() { return *journal_; }
  dev::buffer_cache& buffers() { return *buffers_; }
  moody_device& device() { return moody_; }

  [[nodiscard]] dev::device& device_below() const { return *memory_; }

  std::vector<tid_t> committed;
  std::string message;
  int aborted = 0;
  std::uint32_t commits_refused = 0;

 private:
  void make_journal() {
    log_map log{*std::pmr::get_default_resource()};
    EXPECT_TRUE(log.add({.first = 0, .count = log_size, .start = pblk_t{home_blocks}}));
    journal_.emplace(journal_request{.buffers = *buffers_,
                                     .log = std::move(log),
                                     .memory = *std::pmr::get_default_resource(),
                                     .handles = handles_,
                                     .operations = operations,
                                     .context = this,
                                     .carried = carried,
                                     .checksums = format_.checksums,
                                     .wide = format_.wide,
                                     .commit_interval = commit_interval_});
  }

  static const journal_operations operations;

  format format_;
  nanoseconds commit_interval_;
  std::unique_ptr<dev::device> memory_;
  moody_device moody_{*memory_};
  dev::device* device_ = &moody_;
  handle_lock handles_;
  std::optional<dev::buffer_cache> buffers_;
  std::optional<journal> journal_;
};

inline const journal_operations bench::operations{
    .before_commit = [](void* context) -> result<> {
      auto& refused = static_cast<bench*>(context)->commits_refused;
      return refused != 0 && refused-- != 0 ? result<>{fail(ENOMEM)} : result<>{};
    },
    .frozen = [](void*) noexcept {},
    .committed = [](void* context, tid_t tid) noexcept { static_cast<bench*>(context)->committed.push_back(tid); },
    .aborted = [](void* context, error why) noexcept { static_cast<bench*>(context)->aborted = why.number(); },
};

class running_journal : public testing::TestWithParam<format> {
 protected:
  running_journal() { EXPECT_TRUE(b.begin()); }
  // Somewhere in the log.
  [[nodiscard]] bool has_block(std::uint32_t type) const {
    for (std::uint32_t at = 1; at < log_size; ++at) {
      journal_header header;
      EXPECT_TRUE(b.device_below().read((home_blocks + at) << bits, std::as_writable_bytes(std::span{&header, 1})));
      if (header.h_magic == journal_magic && header.h_blocktype == type) return true;
    }
    return false;
  }
  bench b{GetParam()};
};

}  // namespace xip::jbd2::test
