// The running journal: what it writes is read back by recovery, at every place where the power may fail.
#include "jbd2/journal.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/dev/devices.h>
#include <xip/locks/kthread.h>

#include "dev/decorator.h"
#include "jbd2/checksum.h"
#include "jbd2/recovery.h"

namespace xip::jbd2::test {
namespace {

using testing::HasSubstr;

constexpr unsigned bits = 10;
constexpr std::uint32_t bs = 1u << bits;
constexpr std::uint64_t home_blocks = 1024;  // before the journal
constexpr std::uint32_t log_size = 1200;
constexpr std::uint64_t all_blocks = home_blocks + log_size;
constexpr pblk_t carried{1};

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
  explicit bench(const format& f) : format_{f}, memory_{*dev::open_memory(all_blocks << bits)} {
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
    XIP_TRY(journal_->prepare_to_begin());
    return journal_->begin();
  }

  // As after a crash: nothing that is not on the medium is known any more.
  void open() {
    journal_.reset();
    buffers_.reset();
    buffers_.emplace(*device_, bits, *std::pmr::get_default_resource());
    make_journal();
    std::string message;
    EXPECT_TRUE(journal_->load(message)) << message;
  }

  [[nodiscard]] recovered recover() {
    log_map log{*std::pmr::get_default_resource()};
    EXPECT_TRUE(log.add({.first = 0, .count = log_size, .start = pblk_t{home_blocks}}));
    std::string message;
    auto done = jbd2::recover(
        {.device = *device_, .log = log, .block_bits = bits, .blocks = home_blocks, .memory = *std::pmr::get_default_resource()}, message);
    EXPECT_TRUE(done) << message;
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
    std::string message;
    return journal_->load(message) ? "loaded" : message;
  }

  journal& log() { return *journal_; }
  dev::buffer_cache& buffers() { return *buffers_; }
  moody_device& device() { return moody_; }

  [[nodiscard]] dev::device& device_below() const { return *memory_; }

  std::vector<tid_t> committed;
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
                                     .commit_interval = nanoseconds::zero()});
  }

  static const journal_operations operations;

  format format_;
  std::unique_ptr<dev::device> memory_;
  moody_device moody_{*memory_};
  dev::device* device_ = &moody_;
  handle_lock handles_;
  std::optional<dev::buffer_cache> buffers_;
  std::optional<journal> journal_;
};

const journal_operations bench::operations{
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

TEST_P(running_journal, brings_home_after_a_crash_what_was_committed_and_nothing_else) {
  b.change(10, 1);
  b.change(11, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.change(11, 2);
  b.change(12, 2);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.change(12, 3);
  EXPECT_EQ(b.on_medium(10), 0u) << "it is in the log only";
  b.open();
  const recovered done = b.recover();
  EXPECT_EQ(done.transactions, 2u);
  EXPECT_EQ(done.written, 3u);
  EXPECT_EQ(b.on_medium(10), 1u);
  EXPECT_EQ(b.on_medium(11), 2u);
  EXPECT_EQ(b.on_medium(12), 2u);
}

TEST_P(running_journal, says_when_a_transaction_is_durable) {
  const tid_t first = b.log().running();
  b.change(10, 1);
  EXPECT_LT(b.log().committed(), first);
  ASSERT_TRUE(b.log().commit(first));
  EXPECT_EQ(b.log().committed(), first);
  EXPECT_EQ(b.log().running(), first + 1);
  ASSERT_TRUE(b.log().commit(first));
  EXPECT_EQ(b.committed, std::vector<tid_t>{first}) << "it was durable already";
}

TEST_P(running_journal, writes_two_blocks_beside_those_that_changed) {
  b.change(10, 1);
  b.change(11, 1);
  b.change(12, 1);
  std::vector<std::uint32_t> magic;
  ASSERT_TRUE(b.log().commit(b.log().running()));
  const journal_superblock jsb = b.superblock();
  std::uint32_t written = 0;
  for (std::uint32_t at = jsb.s_start; at < log_size; ++at, ++written) {
    std::vector<std::byte> block(bs);
    ASSERT_TRUE(b.device().read((home_blocks + at) << bits, block));
    if (std::ranges::all_of(block, [](std::byte x) { return x == std::byte{0}; })) break;
  }
  EXPECT_EQ(written, 5u);
}

TEST_P(running_journal, escapes_what_looks_like_a_block_of_its_own) {
  ASSERT_TRUE(b.log().start_handle(1));
  auto buffer = *b.buffers().get(pblk_t{20});
  const be32 magic{journal_magic};
  std::memcpy(buffer->writable().data(), &magic, sizeof magic);
  b.buffers().mark_dirty(*buffer);
  b.log().stop_handle(1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  be32 found;
  EXPECT_EQ(b.recover().written, 1u);
  ASSERT_TRUE(b.device().read(20 << bits, std::as_writable_bytes(std::span{&found, 1})));
  EXPECT_EQ(found, journal_magic);
}

TEST_P(running_journal, escapes_on_the_way_home_too) {
  b.change(carried.value(), 7);
  for (const std::uint64_t block : {std::uint64_t{20}, carried.value()}) {
    ASSERT_TRUE(b.log().start_handle(1));
    auto buffer = *b.buffers().get(pblk_t{block});
    const be32 magic{journal_magic};
    std::memcpy(buffer->writable().data(), &magic, sizeof magic);
    b.buffers().mark_dirty(*buffer);
    b.log().stop_handle(1);
  }
  ASSERT_TRUE(b.log().commit(b.log().running()));
  ASSERT_TRUE(b.log().checkpoint());
  ASSERT_TRUE(b.log().end());
  for (const std::uint64_t block : {std::uint64_t{20}, carried.value()}) {
    be32 found;
    ASSERT_TRUE(b.device().read(block << bits, std::as_writable_bytes(std::span{&found, 1})));
    EXPECT_EQ(found, journal_magic) << block;
  }
}

TEST_P(running_journal, has_as_many_descriptors_as_it_takes) {
  for (std::uint64_t block = 100; block < 350; ++block) b.change(block, 9);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_EQ(b.recover().written, 250u);
  for (std::uint64_t block = 100; block < 350; ++block) EXPECT_EQ(b.on_medium(block), 9u);
}

TEST_P(running_journal, brings_home_no_block_that_was_freed_since) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  // Another file has it now.
  b.write_as_data(10, 77);
  EXPECT_EQ(b.recover().revoked, 1u);
  EXPECT_EQ(b.on_medium(10), 77u);
}

TEST_P(running_journal, brings_home_no_freed_block_at_a_checkpoint) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.write_as_data(10, 77);
  ASSERT_TRUE(b.log().checkpoint());
  EXPECT_EQ(b.on_medium(10), 77u);
}

// Before the transaction that frees it is committed, a crash brings it back.
TEST_P(running_journal, keeps_a_freed_block_until_that_is_committed) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  ASSERT_TRUE(b.log().checkpoint());
  EXPECT_EQ(b.on_medium(10), 1u);
}

TEST_P(running_journal, brings_home_a_block_that_is_in_use_again) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.change(10, 2);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  (void)b.recover();
  EXPECT_EQ(b.on_medium(10), 2u);
}

TEST_P(running_journal, revokes_as_many_as_there_are) {
// The transaction that has a copy of it is on its way when the next one frees it.
TEST_P(running_journal, brings_home_no_block_that_was_freed_while_it_was_being_committed) {
  b.change(10, 1);
  b.change(11, 1);
  b.device().on_flush = [this] {
    b.device().on_flush = nullptr;
    b.free(10);
  };
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_FALSE(has_block(revoke_block)) << "the next one frees it";
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.write_as_data(10, 77);
  ASSERT_TRUE(b.log().checkpoint());
  EXPECT_EQ(b.on_medium(10), 77u);
  EXPECT_EQ(b.on_medium(11), 1u);
}

TEST_P(running_journal, revokes_a_block_that_was_freed_while_it_was_being_committed) {
  b.change(10, 1);
  b.device().on_flush = [this] {
    b.device().on_flush = nullptr;
    b.free(10);
  };
  ASSERT_TRUE(b.log().commit(b.log().running()));
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.write_as_data(10, 77);
  EXPECT_EQ(b.recover().revoked, 1u);
  EXPECT_EQ(b.on_medium(10), 77u);
}

TEST_P(running_journal, revokes_no_block_that_is_in_use_again_in_the_same_transaction) {
  b.change(10, 1);
  b.change(11, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  b.free(11);
  b.free(10);
  b.change(10, 2);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_EQ(b.recover().revoked, 1u);
  EXPECT_EQ(b.on_medium(10), 2u);
  EXPECT_EQ(b.on_medium(11), 0u);
}

TEST_P(running_journal, revokes_nothing_that_the_log_has_no_copy_of) {
  b.change(10, 1);
  b.free(10);
  b.change(11, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(11);
  ASSERT_TRUE(b.log().checkpoint());
  b.change(12, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_FALSE(has_block(revoke_block));
}

// What is freed is in the log as long as that has not moved, wherever else it is.
TEST_P(running_journal, revokes_what_a_checkpoint_that_failed_has_brought_home) {
  b.change(carried.value(), 1);
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  b.device().writes_until_no_room = 2;
  EXPECT_EQ(b.log().checkpoint().error(), ENOSPC);
  EXPECT_EQ(b.on_medium(10), 1u);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.write_as_data(10, 77);
  EXPECT_EQ(b.recover().revoked, 1u);
  EXPECT_EQ(b.on_medium(10), 77u);
}

  for (std::uint64_t block = 100; block < 300; ++block) b.change(block, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  for (std::uint64_t block = 100; block < 300; ++block) b.free(block);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_EQ(b.recover().revoked, 200u);
}

// A change that is being made in the cache stays out of a checkpoint.
TEST_P(running_journal, checkpoints_what_is_committed) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.change(10, 2);
  ASSERT_TRUE(b.log().checkpoint());
  EXPECT_EQ(b.on_medium(10), 1u);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.open();
  EXPECT_EQ(b.recover().transactions, 1u);
  EXPECT_EQ(b.on_medium(10), 2u);
}

// Where the medium takes eight bytes at once, and more so where it takes 64, a crash leaves the super block as it was before or as it is after.
TEST_P(running_journal, moves_the_log_with_one_word) {
  constexpr std::size_t word = offsetof(journal_superblock, s_sequence);
  static_assert(word % 8 == 0 && offsetof(journal_superblock, s_start) == word + 4);
  const auto expect_one_word = [&](const auto& move) {
    const journal_superblock before = b.superblock();
    ASSERT_TRUE(move());
    const journal_superblock after = b.superblock();
    const auto* old = reinterpret_cast<const std::byte*>(&before);
    const auto* fresh = reinterpret_cast<const std::byte*>(&after);
    EXPECT_NE(std::memcmp(old + word, fresh + word, 8), 0);
    EXPECT_EQ(std::memcmp(old, fresh, word), 0);
    EXPECT_EQ(std::memcmp(old + word + 8, fresh + word + 8, sizeof before - word - 8), 0);
    if (GetParam().checksums) {
      EXPECT_EQ(superblock_checksum(after), after.s_checksum);
    }
  };
  for (std::uint32_t i = 1; i < 6; ++i) {
    b.change(10, i);
    b.change(carried.value(), i);
    ASSERT_TRUE(b.log().commit(b.log().running()));
    expect_one_word([&] { return b.log().checkpoint(); });
  }
  expect_one_word([&] { return b.log().end(); });
  expect_one_word([&] { return b.begin(); });
  b.change(10, 9);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.open();
  expect_one_word([&] { return b.recover().transactions == 1; });
}

TEST_P(running_journal, keeps_the_carried_block_in_the_log_until_the_end) {
  b.change(carried.value(), 5);
  b.change(10, 5);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(b.log().checkpoint());
    EXPECT_EQ(b.on_medium(10), 5u);
    EXPECT_EQ(b.on_medium(carried.value()), 0u);
  }
  ASSERT_TRUE(b.log().end());
  EXPECT_EQ(b.on_medium(carried.value()), 5u);
  EXPECT_EQ(b.superblock().s_start, 0u);
}

// Many times around the log, with a crash after each commit: whatever lies in it from before is not taken for new.
TEST_P(running_journal, goes_around_the_log) {
  std::set<std::uint32_t> starts;
  for (std::uint32_t round = 1; round <= 150; ++round) {
    for (std::uint64_t block = 100; block < 150; ++block) b.change(block, round);
    ASSERT_TRUE(b.log().commit(b.log().running()));
    starts.insert(b.superblock().s_start);
    if (round % 37 != 0) continue;
    b.open();
    (void)b.recover();
    for (std::uint64_t block = 100; block < 150; ++block) ASSERT_EQ(b.on_medium(block), round);
    b.open();
    ASSERT_TRUE(b.begin());
  }
  EXPECT_GT(starts.size(), 2u);
}

// Whoever wants more than there is waits for a commit, and then for a checkpoint; a transaction always fits.
TEST_P(running_journal, makes_room_when_it_is_full) {
  const tid_t before = b.log().running();
  for (std::uint32_t round = 0; round < 20; ++round)
    for (std::uint64_t block = 100; block < 400; ++block) b.change(block, round);
  EXPECT_GT(b.log().running(), before + 10);
  EXPECT_FALSE(b.log().aborted());
}

TEST_P(running_journal, refuses_what_no_transaction_has_room_for) {
  EXPECT_EQ(b.log().start_handle(log_size).error(), ENOSPC);
  ASSERT_TRUE(b.log().start_handle(10));
  EXPECT_FALSE(b.log().extend_handle(log_size));
  EXPECT_TRUE(b.log().extend_handle(10));
  b.log().stop_handle(20);
}

TEST_P(running_journal, ends_empty_and_begins_again) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  ASSERT_TRUE(b.log().end());
  EXPECT_EQ(b.on_medium(10), 1u);
  EXPECT_EQ(b.recover().transactions, 0u);
  ASSERT_TRUE(b.begin());
  b.change(10, 2);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_EQ(b.recover().transactions, 1u);
  EXPECT_EQ(b.on_medium(10), 2u);
}

// What an unmount that was cut off leaves: everything is home, the log is not empty. What it has must not go home once more.
TEST_P(running_journal, begins_over_a_log_that_is_not_empty) {
  for (std::uint32_t round = 1; round <= 4; ++round) {
    b.change(10, round);
    ASSERT_TRUE(b.log().commit(b.log().running()));
  }
  b.open();
  ASSERT_TRUE(b.begin());
  b.change(11, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_EQ(b.recover().transactions, 1u);
  EXPECT_EQ(b.on_medium(10), 0u);
}

TEST_P(running_journal, refuses_a_commit_without_memory_and_makes_it_later) {
  b.change(10, 1);
  const tid_t tid = b.log().running();
  b.commits_refused = 1;
  EXPECT_EQ(b.log().commit(tid).error(), ENOMEM);
  EXPECT_FALSE(b.log().aborted());
  ASSERT_TRUE(b.log().commit(tid));
  EXPECT_EQ(b.recover().written, 1u);
}

TEST_P(running_journal, is_aborted_by_a_medium_that_fails) {
  b.change(10, 1);
  const tid_t tid = b.log().running();
  b.device().kill();
  EXPECT_EQ(b.log().commit(tid).error(), EIO);
  EXPECT_EQ(b.aborted, EIO);
  EXPECT_EQ(b.log().start_handle(1).error(), EIO);
  EXPECT_EQ(b.log().commit(tid).error(), EIO) << "not durable, and says so";
  EXPECT_EQ(b.log().checkpoint().error(), EIO);
}

// A host that has promised room and has none in the middle of a transaction: what was dirty is no longer, so nothing may be said to be durable again.
TEST_P(running_journal, is_aborted_by_a_host_without_room_in_the_middle) {
  for (std::uint64_t block = 100; block < 200; ++block) b.change(block, 1);
  b.device().writes_until_no_room = 2;
  EXPECT_EQ(b.log().commit(b.log().running()).error(), EIO);
  EXPECT_EQ(b.log().commit(b.log().running()).error(), EIO);
  EXPECT_EQ(b.log().start_handle(1).error(), EIO);
}

TEST_P(running_journal, tries_a_checkpoint_again) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.device().writes_until_no_room = 1;
  EXPECT_EQ(b.log().checkpoint().error(), ENOSPC);
  EXPECT_FALSE(b.log().aborted());
  ASSERT_TRUE(b.log().checkpoint());
  EXPECT_EQ(b.on_medium(10), 1u);
}

// The end fails, and the log goes on.
TEST_P(running_journal, goes_on_where_it_could_not_end) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.device().writes_until_no_room = 1;
  EXPECT_EQ(b.log().end().error(), ENOSPC);
  b.change(11, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.open();
  EXPECT_EQ(b.recover().transactions, 2u);
}

// Two flushes: what is committed before the commit block, and the commit block before anybody is told.
TEST_P(running_journal, flushes_before_and_behind_the_commit_block) {
  b.change(10, 1);
  std::vector<bool> committed_at_flush;
  b.device().on_flush = [&] { committed_at_flush.push_back(has_block(commit_block)); };
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_EQ(committed_at_flush, (std::vector<bool>{false, true}));
}

// What nobody else looked at: a log that ends where it begins.
TEST_P(running_journal, refuses_a_log_that_is_too_short) {
  ASSERT_TRUE(b.log().end());
  journal_superblock jsb = b.superblock();
  jsb.s_first = log_size - 9;
  if (GetParam().checksums) jsb.s_checksum = superblock_checksum(jsb);
  ASSERT_TRUE(b.device().write(home_blocks << bits, std::as_bytes(std::span{&jsb, 1})));
  EXPECT_THAT(b.refusal(), HasSubstr("fewer than 1024"));
}

// The number that goes with the first place is one that the log has a block of.
TEST_P(running_journal, begins_where_its_number_is_not_taken) {
  if (!GetParam().checksums) GTEST_SKIP() << "its numbers go on";
  ASSERT_TRUE(b.log().end());
  const journal_superblock jsb = b.superblock();
  const journal_header left{be32{journal_magic}, be32{commit_block}, be32{sequence_that_keeps_checksum(jsb, jsb.s_first) + 5}};
  ASSERT_TRUE(b.device().write((home_blocks + 700) << bits, std::as_bytes(std::span{&left, 1})));
  b.open();
  ASSERT_TRUE(b.begin());
  EXPECT_EQ(b.superblock().s_start, jsb.s_first + 1);
}

// A crash after a checkpoint: the carried block is in the log that has begun.
TEST_P(running_journal, has_the_carried_block_in_the_log_that_begins) {
  b.change(carried.value(), 5);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  ASSERT_TRUE(b.log().checkpoint());
  b.open();
  EXPECT_EQ(b.recover().transactions, 1u);
  EXPECT_EQ(b.on_medium(carried.value()), 5u);
}

// Every block of the log is left over from another transaction.
TEST_P(running_journal, finds_a_number_that_is_free_or_says_so) {
  ASSERT_TRUE(b.log().end());
  for (std::uint32_t at = 1; at < log_size; ++at) {
    const journal_header header{be32{journal_magic}, be32{commit_block}, be32{at * 1000}};
    ASSERT_TRUE(b.device().write((home_blocks + at) << bits, std::as_bytes(std::span{&header, 1})));
  }
  b.open();
  ASSERT_TRUE(b.begin());
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_EQ(b.recover().transactions, 1u);
}

// Several tasks, small transactions, a log that fills up: everybody gets room, and what is said to be durable is.
TEST_P(running_journal, serves_many_at_once) {
  constexpr std::uint32_t tasks = 6, rounds = 60;
  std::vector<kthread> threads;
  std::array<std::uint32_t, tasks> durable{};
  for (std::uint32_t t = 0; t < tasks; ++t) {
    threads.push_back(kthread::run("writer", *std::pmr::get_default_resource(), [this, t, &durable] {
                        for (std::uint32_t round = 1; round <= rounds; ++round) {
                          for (std::uint64_t block = 0; block < 20; ++block) b.change(100 + t * 20 + block, round);
                          const tid_t tid = b.log().running();
                          if (round % 3 == 0 && b.log().commit(tid)) durable[t] = round;
                        }
                      }).value());
  }
  for (kthread& each : threads) each.join();
  EXPECT_FALSE(b.log().aborted());
  b.open();
  (void)b.recover();
  for (std::uint32_t t = 0; t < tasks; ++t)
    for (std::uint64_t block = 0; block < 20; ++block) EXPECT_GE(b.on_medium(100 + t * 20 + block), durable[t]);
}

TEST_P(running_journal, says_in_its_super_block_why_it_was_aborted) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.log().abort(error{ENOTRECOVERABLE});
  EXPECT_EQ(b.log().end().error(), EIO);
  b.open();
  EXPECT_EQ(b.recover().aborted, ENOTRECOVERABLE);
  EXPECT_EQ(b.on_medium(10), 1u) << "what was committed before is not lost";
}

INSTANTIATE_TEST_SUITE_P(formats, running_journal,
                         testing::Values(format{"plain", false, false}, format{"wide", false, true}, format{"checksums", true, false},
                                         format{"wide_checksums", true, true}),
                         [](const auto& of) { return std::string{of.param.name}; });

// ---- the super block's one word -----------------------------------------------------------------------------------------------------------------

TEST(journal_superblock, keeps_its_checksum_with_one_sequence_for_each_beginning) {
  journal_superblock jsb{};
  jsb.s_header = {journal_magic, superblock_v2, 0u};
  jsb.s_feature_incompat = incompat_csum_v3;
  jsb.s_checksum_type = checksum_crc32c;
  jsb.s_checksum = superblock_checksum(jsb);
  const be32 sum = jsb.s_checksum;
  for (std::uint32_t start = 0; start < 3000; start += 7) {
    jsb.s_start = start;
    jsb.s_sequence = sequence_that_keeps_checksum(jsb, start);
    ASSERT_EQ(superblock_checksum(jsb), sum) << start;
  }
}

TEST(used_sequences, are_found_where_they_wrap) {
  used_sequences used{*std::pmr::get_default_resource()};
  for (std::uint32_t s = UINT32_MAX - 2; s != 3; ++s) ASSERT_TRUE(used.add(s));
  used.sort();
  EXPECT_TRUE(used.overlaps(2, 1));
  EXPECT_FALSE(used.overlaps(3, 100));
  EXPECT_TRUE(used.overlaps(UINT32_MAX - 10, 9));
  EXPECT_FALSE(used.overlaps(UINT32_MAX - 10, 8));
  EXPECT_EQ(used.behind(UINT32_MAX - 5), 3u);
  EXPECT_EQ(used.behind(3), 3u);
}

}  // namespace
}  // namespace xip::jbd2::test
