// The extent cache alone: against a model, full, out of memory, and read while it is written.
#include "fs_ext4lite/extent_cache.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory_resource>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <xip/locks/kthread.h>

namespace xip::ext4lite {
namespace {

std::pmr::memory_resource& heap() { return *std::pmr::new_delete_resource(); }

extent_map mapped(std::uint32_t lblk, std::uint32_t len, std::uint64_t pblk) {
  return {lblk_t{lblk}, len, pblk_t{pblk}, extent_type::mapped, 0};
}
extent_map unwritten(std::uint32_t lblk, std::uint32_t len, std::uint64_t pblk) {
  return {lblk_t{lblk}, len, pblk_t{pblk}, extent_type::unwritten, 0};
}
extent_map hole(std::uint32_t lblk, std::uint32_t len) { return {lblk_t{lblk}, len, pblk_t{0}, extent_type::hole, 0}; }

TEST(extent_cache, knows_nothing_at_first) {
  extent_cache cache;
  extent_map em;
  EXPECT_FALSE(cache.lookup(lblk_t{0}, em));
  EXPECT_FALSE(cache.lookup(lblk_t{UINT32_MAX - 1}, em));
}

TEST(extent_cache, answers_with_the_rest_of_a_stretch) {
  extent_cache cache;
  cache.insert(mapped(10, 5, 100), heap());
  extent_map em;
  ASSERT_TRUE(cache.lookup(lblk_t{12}, em));
  EXPECT_EQ(em.lblk, lblk_t{12});
  EXPECT_EQ(em.len, 3u);
  EXPECT_EQ(em.pblk, pblk_t{102});
  EXPECT_EQ(em.type, extent_type::mapped);
  EXPECT_FALSE(cache.lookup(lblk_t{9}, em));
  EXPECT_FALSE(cache.lookup(lblk_t{15}, em));
}

TEST(extent_cache, joins_what_continues) {
  extent_cache cache;
  cache.insert(mapped(0, 4, 100), heap());
  cache.insert(mapped(8, 4, 108), heap());
  cache.insert(mapped(4, 4, 104), heap());
  EXPECT_EQ(cache.size(), 1u);
  extent_map em;
  ASSERT_TRUE(cache.lookup(lblk_t{0}, em));
  EXPECT_EQ(em.len, 12u);
}

// As when a file grows within what was allocated ahead.
TEST(extent_cache, moves_the_border_between_two_stretches) {
  extent_cache cache;
  cache.insert(mapped(0, 4, 100), heap());
  cache.insert(unwritten(4, 16, 104), heap());
  cache.insert(mapped(4, 3, 104), heap());
  EXPECT_EQ(cache.size(), 2u);
  extent_map em;
  ASSERT_TRUE(cache.lookup(lblk_t{0}, em));
  EXPECT_EQ(em.len, 7u);
  EXPECT_EQ(em.type, extent_type::mapped);
  ASSERT_TRUE(cache.lookup(lblk_t{7}, em));
  EXPECT_EQ(em.len, 13u);
  EXPECT_EQ(em.pblk, pblk_t{107});
  EXPECT_EQ(em.type, extent_type::unwritten);
}

TEST(extent_cache, does_not_join_across_a_jump_on_the_device_or_a_change_of_state) {
  extent_cache cache;
  cache.insert(mapped(0, 4, 100), heap());
  cache.insert(mapped(4, 4, 200), heap());
  cache.insert(unwritten(8, 4, 204), heap());
  EXPECT_EQ(cache.size(), 3u);
}

TEST(extent_cache, holds_a_hole_up_to_the_last_block) {
  extent_cache cache;
  cache.insert(hole(7, UINT32_MAX - 7), heap());
  extent_map em;
  ASSERT_TRUE(cache.lookup(lblk_t{UINT32_MAX - 1}, em));
  EXPECT_EQ(em.len, 1u);
  EXPECT_FALSE(cache.lookup(lblk_t{UINT32_MAX}, em));
}

TEST(extent_cache, a_conversion_in_the_middle_makes_three) {
  extent_cache cache;
  cache.insert(unwritten(0, 10, 100), heap());
  cache.insert(mapped(4, 2, 104), heap());
  extent_map em;
  ASSERT_TRUE(cache.lookup(lblk_t{3}, em));
  EXPECT_EQ(em.type, extent_type::unwritten);
  EXPECT_EQ(em.len, 1u);
  ASSERT_TRUE(cache.lookup(lblk_t{4}, em));
  EXPECT_EQ(em.type, extent_type::mapped);
  ASSERT_TRUE(cache.lookup(lblk_t{6}, em));
  EXPECT_EQ(em.type, extent_type::unwritten);
  EXPECT_EQ(em.pblk, pblk_t{106});
}

// Whatever it forgets, what it says is so: random changes against an array that knows each block.
TEST(extent_cache, never_says_what_is_not_so) {
  constexpr std::uint32_t blocks = 2000;
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937 random{seed};
    extent_cache cache;
    struct truth {
      extent_type type;
      std::uint64_t pblk;
      bool known;
    };
    std::vector<truth> model(blocks, truth{extent_type::hole, 0, false});
    for (int step = 0; step < 3000; ++step) {
      const std::uint32_t first = random() % blocks;
      const std::uint32_t len = 1 + random() % std::min(40u, blocks - first);
      const auto type = static_cast<extent_type>(random() % 3);
      if (random() % 5 == 0) {
        cache.remove(lblk_t{first}, len);
        for (std::uint32_t i = first; i < first + len; ++i) model[i].known = false;
      } else {
        const std::uint64_t pblk = type == extent_type::hole ? 0 : 1000 + first + (random() % 3) * 5000;
        cache.insert({lblk_t{first}, len, pblk_t{pblk}, type, 0}, heap());
        for (std::uint32_t i = first; i < first + len; ++i) model[i] = {type, type == extent_type::hole ? 0 : pblk + (i - first), true};
      }
      ASSERT_LE(cache.size(), extent_cache::max_entries);
      const std::uint32_t asked = random() % blocks;
      extent_map em;
      if (!cache.lookup(lblk_t{asked}, em)) continue;
      for (std::uint32_t i = 0; i < em.len; ++i) {
        ASSERT_TRUE(model[asked + i].known) << "seed " << seed << " step " << step << " block " << asked + i;
        ASSERT_EQ(model[asked + i].type, em.type) << "seed " << seed << " step " << step << " block " << asked + i;
        ASSERT_EQ(model[asked + i].pblk, em.type == extent_type::hole ? 0 : em.pblk.value() + i);
      }
    }
  }
}

TEST(extent_cache, full_it_forgets_and_goes_on) {
  extent_cache cache;
  for (std::uint32_t i = 0; i < 1000; ++i) cache.insert(mapped(i * 2, 1, 100 + i * 7), heap());
  EXPECT_EQ(cache.size(), extent_cache::max_entries);
  extent_map em;
  EXPECT_TRUE(cache.lookup(lblk_t{1998}, em));
  cache.clear();
  EXPECT_EQ(cache.size(), 0u);
}

TEST(extent_cache, without_memory_it_stays_small) {
  extent_cache cache;
  for (std::uint32_t i = 0; i < 100; ++i) cache.insert(mapped(i * 2, 1, 100 + i * 7), *std::pmr::null_memory_resource());
  EXPECT_EQ(cache.size(), extent_cache::inline_entries);
  extent_map em;
  ASSERT_TRUE(cache.lookup(lblk_t{198}, em));
  EXPECT_EQ(em.pblk, pblk_t{100 + 99 * 7});
}

// Readers beside a writer see an old truth, the new one, or nothing; never parts of both. Block b is always at 1000 + b or at 100000 + b,
// in all of a round.
TEST(extent_cache, readers_see_no_torn_entries) {
  extent_cache cache;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<kthread> readers;
  for (std::uint32_t n = 0; n < 2; ++n) {
    auto reader = kthread::run("reader", heap(), [&, n] {
      std::mt19937 random{n};
      extent_map em;
      while (!stop.load(std::memory_order_relaxed)) {
        const std::uint32_t lblk = random() % 600;
        if (!cache.lookup(lblk_t{lblk}, em)) continue;
        const bool old_truth = em.pblk.value() == 1000u + lblk && em.type == extent_type::mapped;
        const bool new_truth = em.pblk.value() == 100000u + lblk && em.type == extent_type::unwritten;
        if (em.lblk.value() != lblk || em.len == 0 || !(old_truth || new_truth)) wrong.fetch_add(1);
      }
    });
    ASSERT_TRUE(reader.has_value());
    readers.push_back(std::move(*reader));
  }
  std::mt19937 random{7};
  for (int round = 0; round < 20000; ++round) {
    const std::uint32_t lblk = random() % 590;
    const std::uint32_t len = 1 + random() % 10;
    if (random() % 4 == 0)
      cache.remove(lblk_t{lblk}, len);
    else if (random() % 2 == 0)
      cache.insert(mapped(lblk, len, 1000 + lblk), heap());
    else
      cache.insert(unwritten(lblk, len, 100000 + lblk), heap());
  }
  stop.store(true);
  for (kthread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0u);
}

}  // namespace
}  // namespace xip::ext4lite
