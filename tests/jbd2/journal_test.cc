// The running journal: what it writes is read back by recovery, at every place where the power may fail.
#include "jbd2/running_journal.h"

#include <chrono>

#include <xip/locks/delay.h>
#include <xip/locks/kthread.h>

#include "jbd2/checksum.h"
#include "locks/toy_scheduler.h"

namespace xip::jbd2::test {
namespace {

using testing::HasSubstr;

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

// Each place of the log has the number that would begin there.
TEST_P(running_journal, writes_nothing_into_a_log_without_a_free_number) {
  if (!GetParam().checksums) GTEST_SKIP() << "its numbers go on";
  ASSERT_TRUE(b.log().end());
  journal_superblock jsb = b.superblock();
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t at = 1; at < log_size; ++at) numbers.push_back(sequence_that_keeps_checksum(jsb, at));
  jsb.s_errno = 5;  // there is something to rewrite
  jsb.s_checksum = superblock_checksum(jsb);
  ASSERT_TRUE(b.device().write(home_blocks << bits, std::as_bytes(std::span{&jsb, 1})));
  for (std::uint32_t at = 1; at < log_size; ++at) {
    const journal_header header{be32{journal_magic}, be32{commit_block}, be32{numbers[at - 1]}};
    ASSERT_TRUE(b.device().write((home_blocks + at) << bits, std::as_bytes(std::span{&header, 1})));
  }
  b.open();
  const std::uint32_t flushes = b.device().flushes;
  EXPECT_EQ(b.begin().error(), EUCLEAN);
  EXPECT_THAT(b.message, HasSubstr("so many transactions"));
  EXPECT_EQ(b.superblock().s_errno, 5u) << "nothing is written";
  EXPECT_EQ(b.device().flushes, flushes);
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

// One write, of one line: whatever a crash leaves of it, the log in it counts.
TEST_P(running_journal, says_in_its_super_block_why_it_was_aborted) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  const journal_superblock before = b.superblock();
  b.log().abort(error{ENOTRECOVERABLE});
  EXPECT_EQ(b.log().end().error(), EIO);
  const journal_superblock after = b.superblock();
  constexpr std::size_t line = 64;
  EXPECT_EQ(std::memcmp(reinterpret_cast<const std::byte*>(&before) + line, reinterpret_cast<const std::byte*>(&after) + line,
                        sizeof before - line),
            0);
  EXPECT_EQ(after.s_errno, static_cast<std::uint32_t>(-ENOTRECOVERABLE));
  EXPECT_EQ(after.s_sequence, before.s_sequence);
  EXPECT_EQ(after.s_start, before.s_start);
  if (GetParam().checksums) {
    EXPECT_EQ(superblock_checksum(after), after.s_checksum);
  }
  b.open();
  EXPECT_EQ(b.recover().aborted, ENOTRECOVERABLE);
  EXPECT_EQ(b.on_medium(10), 1u) << "what was committed before is not lost";
}

INSTANTIATE_TEST_SUITE_P(formats, running_journal,
                         testing::Values(format{"plain", false, false}, format{"wide", false, true}, format{"checksums", true, false},
                                         format{"wide_checksums", true, true}),
                         [](const auto& of) { return std::string{of.param.name}; });

// ---- the timer, on a clock that goes on when nobody can run --------------------------------------------------------------------------------------

TEST(commit_timer, commits_when_the_interval_is_over_and_not_before) {
  using std::chrono::seconds;
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    xip::test::toy_scheduler toy{seed};
    toy.run([&toy] {
      bench b{{"checksums", true, false}, seconds{5}};
      ASSERT_TRUE(b.begin());
      const auto pass_until = [&toy](nanoseconds when) { delay(when - toy.now); };
      constexpr nanoseconds moment{1};
      const tid_t first = b.log().running();
      b.change(10, 1);
      pass_until(seconds{5} - moment);
      EXPECT_LT(b.log().committed(), first);
      pass_until(seconds{5} + moment);
      EXPECT_EQ(b.log().committed(), first);
      pass_until(seconds{11});
      EXPECT_EQ(b.log().committed(), first) << "nothing has changed";
      b.change(10, 2);
      pass_until(seconds{15} - moment);
      EXPECT_EQ(b.log().committed(), first);
      pass_until(seconds{15} + moment);
      EXPECT_EQ(b.log().committed(), first + 1);
      ASSERT_TRUE(b.log().end());
    });
  }
}

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

// Whatever stands in it.
TEST(journal_superblock, keeps_its_checksum_when_it_says_why_it_was_aborted) {
  const auto memory = std::move(*dev::open_memory(log_size << bits));
  log_map log{*std::pmr::get_default_resource()};
  ASSERT_TRUE(log.add({.first = 0, .count = log_size, .start = pblk_t{0}}));
  const journal_place at{*memory, log, bits};
  journal_superblock jsb{};
  jsb.s_header = {journal_magic, superblock_v2, 0u};
  jsb.s_feature_incompat = incompat_csum_v3;
  jsb.s_checksum_type = checksum_crc32c;
  for (std::uint32_t i = 0; i < 300; ++i) {
    jsb.s_header.h_sequence = i * 0x9e3779b9;
    jsb.s_start = i * 7;
    jsb.s_sequence = i * 0x85ebca6b;
    jsb.s_errno = 0;
    jsb.s_checksum = superblock_checksum(jsb);
    const be32 sum = jsb.s_checksum;
    ASSERT_TRUE(tell_errno(at, jsb, static_cast<int>(1 + i % 130)));
    ASSERT_EQ(superblock_checksum(jsb), sum) << i;
    ASSERT_EQ(jsb.s_checksum, sum) << i;
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
