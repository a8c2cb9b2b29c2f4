// Logs made by hand, in every version of the format, and what of them goes home.
#include <algorithm>
#include <memory_resource>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "jbd2/handmade_log.h"
#include "jbd2/recovery.h"
#include "jbd2/superblock.h"

namespace xip::jbd2::test {
namespace {

using testing::HasSubstr;

// Remembers how much of it was in use at most.
class counted_memory final : public std::pmr::memory_resource {
 public:
  [[nodiscard]] std::size_t most() const noexcept { return most_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    most_ = std::max(most_, used_ += bytes);
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
    used_ -= bytes;
    std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
  }
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::size_t used_ = 0, most_ = 0;
};

// What is before the log, read in pieces that begin and end anywhere.
[[nodiscard]] std::vector<std::byte> homes_of(dev::device& device, std::size_t piece) {
  std::vector<std::byte> all(log_start * block_size);
  for (std::size_t at = 0; at < all.size(); at += piece)
    EXPECT_TRUE(device.read(at, std::span{all}.subspan(at, std::min(piece, all.size() - at))));
  return all;
}

// Recovers, and looks before at what is there as if that had been done: both are to be the same, errors as well.
[[nodiscard]] result<recovered> recover_log(handmade_log& w, std::string& message,
                                            std::pmr::memory_resource& memory = *std::pmr::get_default_resource()) {
  log_map log{*std::pmr::get_default_resource()};
  EXPECT_TRUE(log.add({.first = 0, .count = 10, .start = pblk_t{log_start}}));
  EXPECT_TRUE(log.add({.first = 10, .count = log_blocks - 10, .start = pblk_t{log_start + 10}}));
  const recovery_request request{.device = *w.device, .log = log, .block_bits = block_bits, .blocks = device_blocks, .memory = memory};
  const auto before = homes_of(*w.device, block_size);
  std::vector<std::byte> foreseen, foreseen_in_pieces;
  std::string message_before;
  const auto view = as_recovered(request, message_before);
  if (view) {
    foreseen = homes_of(**view, 5 * block_size);
    foreseen_in_pieces = homes_of(**view, 1026);
    EXPECT_EQ((*view)->write(0, std::span{foreseen}.first(1)).error(), EROFS);
  }
  EXPECT_EQ(homes_of(*w.device, block_size), before) << "a look has written something";
  auto done = recover(request, message);
  EXPECT_EQ(view.has_value(), done.has_value());
  EXPECT_EQ(message_before, message);
  if (!view || !done) return done;
  EXPECT_EQ(foreseen, homes_of(*w.device, block_size));
  EXPECT_EQ(foreseen_in_pieces, foreseen);
  return done;
}

[[nodiscard]] recovered recovered_from(handmade_log& w) {
  std::string message;
  const auto done = recover_log(w, message);
  EXPECT_TRUE(done.has_value()) << message;
  return done.value_or(recovered{});
}

[[nodiscard]] std::string refusal(handmade_log& w, int number = EUCLEAN) {
  const auto before = w.home(1);
  std::string message;
  const auto done = recover_log(w, message);
  EXPECT_TRUE(!done.has_value() && done.error() == number) << message;
  EXPECT_EQ(w.home(1), before) << "something was written home";
  return message;
}

[[nodiscard]] journal_superblock super_block_of(const handmade_log& w) {
  journal_superblock jsb;
  std::memcpy(static_cast<void*>(&jsb), w.home(log_start).data(), sizeof jsb);
  return jsb;
}

class recovery : public testing::TestWithParam<std::uint32_t> {
 protected:
  handmade_log w{GetParam()};
};

TEST_P(recovery, takes_what_is_committed_home) {
  w.blocks({1, 2, 3}, {filled(1), filled(2), filled(3)});
  w.commit();
  w.blocks({2, 4}, {filled(22), filled(4)});
  w.blocks({5}, {filled(5)});
  w.commit();
  w.blocks({1}, {filled(99)});  // never committed
  const recovered done = recovered_from(w);
  EXPECT_EQ(done.transactions, 2u);
  EXPECT_EQ(done.written, 5u);
  const std::pair<std::uint64_t, std::uint8_t> homes[] = {{1, 1}, {2, 22}, {3, 3}, {4, 4}, {5, 5}, {6, 0}};
  for (const auto& [at, with] : homes) EXPECT_EQ(w.home(at), filled(with)) << at;
}

TEST_P(recovery, leaves_an_empty_log_that_goes_on_behind_it) {
  w.blocks({1}, {filled(1)});
  w.commit();
  w.jsb.s_errno = static_cast<std::uint32_t>(-EIO);
  w.seal();
  EXPECT_EQ(recovered_from(w).aborted, EIO);
  const journal_superblock after = super_block_of(w);
  EXPECT_EQ(after.s_start, 0u);
  EXPECT_EQ(after.s_errno, w.jsb.s_errno) << "until it is written again";
  if (jbd2::has_checksums(GetParam()))
    EXPECT_EQ(superblock_checksum(after), after.s_checksum);
  else
    EXPECT_TRUE(tid_after(after.s_sequence, w.sequence()));
  const recovered again = recovered_from(w);
  EXPECT_EQ(again.transactions, 0u);
  EXPECT_EQ(again.aborted, EIO);
}

TEST_P(recovery, puts_the_magic_number_of_an_escaped_block_back) {
  block data = filled(3);
  const be32 magic{journal_magic};
  std::memcpy(data.data(), &magic, sizeof magic);
  w.blocks({1}, {data});
  w.commit();
  EXPECT_EQ(recovered_from(w).written, 1u);
  EXPECT_EQ(w.home(1), data);
}

TEST_P(recovery, keeps_revoked_blocks_from_home_unless_they_came_back) {
  w.blocks({1, 2, 3}, {filled(1), filled(2), filled(3)});
  w.commit();
  w.revokes({1, 2});
  w.blocks({4}, {filled(4)});
  w.commit();
  w.blocks({2}, {filled(22)});
  w.commit();
  w.revokes({3});  // never committed
  const recovered done = recovered_from(w);
  EXPECT_EQ(done.revoked, 1u);
  EXPECT_EQ(w.home(1), filled(0));
  EXPECT_EQ(w.home(2), filled(22));
  EXPECT_EQ(w.home(3), filled(3));
}

TEST_P(recovery, knows_a_block_that_its_own_transaction_revokes_as_gone) {
  w.blocks({1}, {filled(1)});
  w.revokes({1});
  w.commit();
  EXPECT_EQ(recovered_from(w).revoked, 1u);
  EXPECT_EQ(w.home(1), filled(0));
}

TEST_P(recovery, goes_around_the_end_and_wraps_the_numbers) {
  handmade_log late{GetParam(), UINT32_MAX, log_blocks - 2};
  late.blocks({1, 2}, {filled(1), filled(2)});
  late.commit();
  late.revokes({2});
  late.blocks({3}, {filled(3)});
  late.commit();
  const recovered done = recovered_from(late);
  EXPECT_EQ(done.transactions, 2u);
  EXPECT_EQ(done.revoked, 1u);
  EXPECT_EQ(late.home(1), filled(1));
  EXPECT_EQ(late.home(3), filled(3));
}

TEST_P(recovery, ends_where_the_log_does_not_go_on) {
  w.blocks({1}, {filled(1)});
  w.commit();
  handmade_log other{GetParam(), w.sequence() + 5, w.at()};  // an older round's, as it were
  other.device = std::move(w.device);
  other.blocks({2}, {filled(2)});
  other.commit();
  EXPECT_EQ(recovered_from(other).transactions, 1u);
  EXPECT_EQ(other.home(1), filled(1));
  EXPECT_EQ(other.home(2), filled(0));
}

TEST_P(recovery, refuses_a_block_that_is_none_of_the_file_systems) {
  w.blocks({device_blocks}, {filled(1)});
  w.commit();
  EXPECT_THAT(refusal(w), HasSubstr("has block 128"));
  handmade_log self{GetParam()};
  self.blocks({log_start + 3}, {filled(1)});
  self.commit();
  EXPECT_THAT(refusal(self), HasSubstr("has block 67"));
}

TEST_P(recovery, refuses_a_transaction_longer_than_the_log) {
  const std::vector<std::uint64_t> homes(log_blocks, 1);
  w.blocks(homes, std::vector<block>(log_blocks, filled(0)), 0);
  w.commit();
  EXPECT_THAT(refusal(w), HasSubstr("transaction 7 is longer than the log"));
}

// What makes no sense in a transaction without a commit block was torn by a crash, and never happened.
TEST_P(recovery, ends_before_a_transaction_that_makes_no_sense_unless_it_is_committed) {
  const auto look = [&](auto&& make, const char* why) {
    handmade_log one{GetParam()};
    one.blocks({1}, {filled(1)});
    one.commit();
    make(one);
    const recovered done = recovered_from(one);
    EXPECT_EQ(done.transactions, 1u) << why;
    EXPECT_EQ(one.home(1), filled(1)) << why;
    handmade_log committed{GetParam()};
    committed.blocks({2}, {filled(2)});
    committed.commit();
    make(committed);
    committed.commit();
    EXPECT_THAT(refusal(committed), HasSubstr(why));
  };
  look([](handmade_log& l) { l.blocks({5, device_blocks}, {filled(5), filled(6)}); }, "has block 128");
  look([](handmade_log& l) { l.blocks(std::vector<std::uint64_t>(log_blocks, 1), std::vector<block>(log_blocks, filled(0)), 0); },
       "is longer than the log");
  look([](handmade_log& l) { l.revokes({1}, sizeof(revoke_header) - 1); }, "has 15 bytes");
  look([](handmade_log& l) { l.revokes({1}, block_size + 1); }, "bytes");
}

TEST_P(recovery, keeps_from_home_what_any_of_many_revoke_blocks_names) {
  w.blocks({1, 2, 3}, {filled(1), filled(2), filled(3)});
  w.revokes({device_blocks + 5, 99, 3});
  w.commit();
  w.revokes({UINT32_MAX, 1});
  w.revokes({1});
  w.commit();
  EXPECT_EQ(recovered_from(w).revoked, 2u);
  EXPECT_EQ(w.home(1), filled(0));
  EXPECT_EQ(w.home(2), filled(2));
  EXPECT_EQ(w.home(3), filled(0));
}

TEST_P(recovery, refuses_a_super_block_that_makes_no_sense) {
  const auto refused = [&](auto&& change, const char* why, int number = EUCLEAN) {
    handmade_log one{GetParam()};
    one.blocks({1}, {filled(1)});
    one.commit();
    change(one.jsb);
    one.seal();
    EXPECT_THAT(refusal(one, number), HasSubstr(why));
  };
  refused([](auto& j) { j.s_header.h_magic = 1u; }, "no super block");
  refused([](auto& j) { j.s_header.h_blocktype = commit_block; }, "of type 2");
  refused([](auto& j) { j.s_blocksize = 4096u; }, "4096 bytes");
  refused([](auto& j) { j.s_maxlen = log_blocks + 1; }, "its file only 32");
  refused([](auto& j) { j.s_maxlen = 0u; }, "begins at block 1 of 0");
  refused([](auto& j) { j.s_first = 0u; }, "begins at block 0");
  refused([](auto& j) { j.s_start = log_blocks; }, "first transaction is at block 32");
  refused([](auto& j) { j.s_feature_incompat = j.s_feature_incompat | 0x8000u; }, "0x8000", EOPNOTSUPP);
  refused([](auto& j) { j.s_feature_incompat = j.s_feature_incompat | incompat_fast_commit; }, "0x20", EOPNOTSUPP);
  refused([](auto& j) { j.s_feature_ro_compat = 4u; }, "ro_compat 0x4", EOPNOTSUPP);
  if (!jbd2::has_checksums(GetParam()))
    refused([](auto& j) { j.s_feature_incompat = j.s_feature_incompat | incompat_async_commit; }, "checksums of the first version",
            EOPNOTSUPP);
}

TEST_P(recovery, survives_any_bit_that_is_wrong) {
  for (std::uint32_t at = 0; at < 8; ++at) {
    for (std::size_t offset = 0; offset < block_size; offset += offset < 128 ? 1 : 61) {
      handmade_log one{GetParam()};
      one.revokes({3});
      one.blocks({1, 2}, {filled(1), filled(2)});
      one.commit();
      one.blocks({4}, {filled(4)});
      one.commit();
      one.damage(at, offset);
      std::string message;
      const auto done = recover_log(one, message);
      EXPECT_TRUE(done.has_value() || (!message.empty() && one.home(1) == filled(0))) << at << " " << offset;
    }
  }
}

[[nodiscard]] std::string format_name(const testing::TestParamInfo<std::uint32_t>& i) {
  const bool v2 = (i.param & incompat_csum_v2) != 0, v3 = (i.param & incompat_csum_v3) != 0;
  return fmt::format("{}{}", v3 ? "csum_v3" : v2 ? "csum_v2" : "no_csum", (i.param & incompat_64bit) != 0 ? "_64bit" : "");
}

INSTANTIATE_TEST_SUITE_P(formats, recovery,
                         testing::Values(incompat_revoke, incompat_revoke | incompat_64bit, incompat_revoke | incompat_csum_v2,
                                         incompat_revoke | incompat_csum_v2 | incompat_64bit, incompat_revoke | incompat_csum_v3,
                                         incompat_revoke | incompat_csum_v3 | incompat_64bit),
                         format_name);

// A log may name many more blocks than the device has.
TEST_P(recovery, takes_no_memory_for_numbers_of_revoked_blocks) {
  w.blocks({1, 2}, {filled(1), filled(2)});
  for (std::uint32_t n = 0; n < log_blocks - 6; ++n) {
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t i = 0; i < 120; ++i) numbers.push_back(200 + 120 * n + i);
    numbers.back() = 2;
    w.revokes(numbers);
  }
  w.commit();
  counted_memory memory;
  std::string message;
  const auto done = recover_log(w, message, memory);
  ASSERT_TRUE(done) << message;
  EXPECT_EQ(done->revoked, 1u);
  EXPECT_EQ(w.home(1), filled(1));
  EXPECT_LT(memory.most(), 8 * block_size);
}

// ---- where a journal lies -------------------------------------------------------------------------------------------------------------

TEST(log_map, joins_neighbours_and_finds_each_block) {
  log_map log{*std::pmr::get_default_resource()};
  for (std::uint32_t i = 0; i < 8; ++i) EXPECT_TRUE(log.add({.first = i, .count = 1, .start = pblk_t{100 + i}}));
  EXPECT_TRUE(log.add({.first = 8, .count = 2, .start = pblk_t{50}}));
  ASSERT_EQ(log.extents().size(), 2u);
  EXPECT_EQ(log.find(7), pblk_t{107});
  EXPECT_EQ(log.find(9), pblk_t{51});
  const auto stretches = log.by_place();
  for (const std::uint64_t block : {50u, 51u, 100u, 107u}) EXPECT_TRUE(contains(stretches, block)) << block;
  for (const std::uint64_t block : {0u, 49u, 52u, 99u, 108u}) EXPECT_FALSE(contains(stretches, block)) << block;
  EXPECT_FALSE(log.overlap());
  EXPECT_TRUE(log.add({.first = 10, .count = 1, .start = pblk_t{103}}));
  EXPECT_EQ(log.overlap(), pblk_t{103});
}

// ---- checksums: a torn end is no damage, damage is no torn end ------------------------------------------------------------------------

class checked_recovery : public testing::TestWithParam<std::uint32_t> {
 protected:
  // Two transactions: descriptor 1, data 2, commit 3; revokes 4, descriptor 5, data 6, commit 7.
  checked_recovery() {
    w.blocks({1}, {filled(1)});
    w.commit();
    w.revokes({9});
    w.blocks({2}, {filled(2)});
    w.commit();
  }
  handmade_log w{GetParam() | incompat_revoke};
};

TEST_P(checked_recovery, takes_a_torn_last_transaction_for_none) {
  for (const std::uint32_t at : {4u, 5u, 7u}) {
    handmade_log one{GetParam() | incompat_revoke};
    one.blocks({1}, {filled(1)});
    one.commit();
    one.revokes({9});
    one.blocks({2}, {filled(2)});
    one.commit();
    one.damage(at, 100);
    EXPECT_EQ(recovered_from(one).transactions, 1u) << at;
    EXPECT_EQ(one.home(1), filled(1));
    EXPECT_EQ(one.home(2), filled(0));
  }
}

TEST_P(checked_recovery, refuses_a_torn_transaction_with_another_behind_it) {
  for (const std::uint32_t at : {1u, 3u}) {
    handmade_log one{GetParam() | incompat_revoke};
    one.blocks({1}, {filled(1)});
    one.commit();
    one.blocks({2}, {filled(2)});
    one.commit();
    one.damage(at, 100);
    EXPECT_THAT(refusal(one), HasSubstr("transaction 8 follows it"));
  }
}

TEST_P(checked_recovery, refuses_a_committed_block_that_is_wrong) {
  w.damage(6, 500);
  EXPECT_THAT(refusal(w), HasSubstr("checksum of block 2 of transaction 8, in journal block 6, is wrong"));
}

TEST_P(checked_recovery, ends_before_it_where_commits_do_not_wait_for_blocks) {
  handmade_log one{GetParam() | incompat_revoke | incompat_async_commit};
  one.blocks({1}, {filled(1)});
  one.commit();
  one.blocks({2}, {filled(2)});
  one.commit();
  one.damage(5, 500);
  EXPECT_EQ(recovered_from(one).transactions, 1u);
}

// A later one may be whole: none waited for the other.
TEST_P(checked_recovery, ends_before_a_torn_commit_block_where_commits_do_not_wait) {
  handmade_log one{GetParam() | incompat_revoke | incompat_async_commit};
  one.blocks({1}, {filled(1)});
  one.commit();
  one.blocks({2}, {filled(2)});
  one.commit();
  one.blocks({3}, {filled(3)});
  one.commit();
  one.damage(6, offsetof(commit_header, h_commit_sec));
  EXPECT_EQ(recovered_from(one).transactions, 1u);
  EXPECT_EQ(one.home(1), filled(1));
  EXPECT_EQ(one.home(2), filled(0));
  EXPECT_EQ(one.home(3), filled(0));
}

TEST_P(checked_recovery, refuses_a_super_block_with_a_wrong_checksum) {
  w.damage(0, 0x18);
  EXPECT_THAT(refusal(w), HasSubstr("checksum of its super block"));
}

INSTANTIATE_TEST_SUITE_P(formats, checked_recovery,
                         testing::Values(incompat_csum_v2, incompat_csum_v2 | incompat_64bit, incompat_csum_v3,
                                         incompat_csum_v3 | incompat_64bit),
                         format_name);

}  // namespace
}  // namespace xip::jbd2::test
