#include <cstring>
#include <map>
#include <memory_resource>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <xip/explore/snapshot_arena.h>

#include "explore/address_marks.h"
#include "explore/random.h"

#if XIP_EXPLORE_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace xip::explore::test {
namespace {

struct block {
  void* at;
  std::size_t bytes;
  std::size_t alignment;
  unsigned char fill;
};

void fill(const block& b) { std::memset(b.at, b.fill, b.bytes); }
bool intact(const block& b) {
  for (std::size_t i = 0; i < b.bytes; ++i)
    if (static_cast<const unsigned char*>(b.at)[i] != b.fill) return false;
  return true;
}

// Allocates and frees at random; every block keeps its own bytes and its alignment.
void churn(snapshot_arena& arena, std::vector<block>& blocks, random_numbers& random, int turns) {
  for (int turn = 0; turn < turns; ++turn) {
    if (blocks.empty() || random.below(3) != 0) {
      const std::size_t bytes = random.below(random.below(20) == 0 ? 100'000 : 300), alignment = std::size_t{1} << random.below(13);
      blocks.push_back({arena.allocate(bytes, alignment), bytes, alignment, static_cast<unsigned char>(random.next())});
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(blocks.back().at) % alignment, 0u);
      fill(blocks.back());
    } else {
      std::swap(blocks[random.below(blocks.size())], blocks.back());
      ASSERT_TRUE(intact(blocks.back()));
      arena.deallocate(blocks.back().at, blocks.back().bytes, blocks.back().alignment);
      blocks.pop_back();
    }
  }
}

TEST(SnapshotArena, RestoreBringsBackEveryByteAndTheAllocator) {
  snapshot_arena arena;
  random_numbers random{1, 0};
  std::vector<block> blocks;
  churn(arena, blocks, random, 2'000);
  ASSERT_TRUE(arena.save().has_value());
  const std::size_t used = arena.used();
  std::vector<void*> first_time;
  for (int round = 0; round < 20; ++round) {
    random_numbers same{7, 0};
    std::vector<block> later = blocks;
    churn(arena, later, same, 500);
    std::vector<void*> addresses;
    for (const block& b : later) addresses.push_back(b.at);
    if (round == 0) first_time = addresses;
    EXPECT_EQ(addresses, first_time);  // the same requests get the same addresses
    arena.restore();
    EXPECT_EQ(arena.used(), used);
    for (const block& b : blocks) ASSERT_TRUE(intact(b));
  }
  for (const block& b : blocks) arena.deallocate(b.at, b.bytes, b.alignment);
}

TEST(SnapshotArena, FreedBlocksAreUsedAgain) {
  snapshot_arena arena;
  void* const first = arena.allocate(1000);
  arena.deallocate(first, 1000);
  const std::size_t used = arena.used();
  for (int i = 0; i < 1000; ++i) arena.deallocate(arena.allocate(1000), 1000);
  EXPECT_EQ(arena.used(), used);
}

TEST(SnapshotArena, HoldsContainers) {
  snapshot_arena arena;
  std::pmr::map<int, std::pmr::string> names{&arena};
  for (int i = 0; i < 100; ++i) names.emplace(i, "a name that is too long for the string itself: " + std::to_string(i));
  ASSERT_TRUE(arena.save().has_value());
  // The map's head lies outside: what a program saves has to lie inside as a whole.
  auto* const inside = new (arena.allocate(sizeof(std::pmr::vector<int>))) std::pmr::vector<int>{&arena};
  inside->assign(1000, 7);
  arena.restore();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(names.at(i).ends_with(": " + std::to_string(i)));
}

TEST(SnapshotArena, WhatDoesNotFitIsRefused) {
  snapshot_arena arena{1 << 20};
  EXPECT_THROW(static_cast<void>(arena.allocate(std::size_t{2} << 20)), std::bad_alloc);
  EXPECT_THROW(static_cast<void>(arena.allocate(~std::size_t{0})), std::bad_alloc);
  EXPECT_THROW(static_cast<void>(arena.allocate(16, 8192)), std::bad_alloc);
  EXPECT_THROW(for (;;) static_cast<void>(arena.allocate(4096)), std::bad_alloc);
}

#if XIP_EXPLORE_ASAN
TEST(SnapshotArena, MarksFollowARestore) {
  snapshot_arena arena;
  auto* const kept = static_cast<char*>(arena.allocate(40));
  auto* const freed_before = static_cast<char*>(arena.allocate(400));
  arena.deallocate(freed_before, 400);
  ASSERT_TRUE(arena.save().has_value());
  arena.deallocate(kept, 40);
  auto* const used_again = static_cast<char*>(arena.allocate(400));
  auto* const later = static_cast<char*>(arena.allocate(5000));
  EXPECT_TRUE(__asan_address_is_poisoned(kept));
  EXPECT_FALSE(__asan_address_is_poisoned(used_again));
  EXPECT_FALSE(__asan_address_is_poisoned(later));
  arena.restore();
  EXPECT_FALSE(__asan_address_is_poisoned(kept));
  EXPECT_TRUE(__asan_address_is_poisoned(kept + 40));  // behind what was asked for
  EXPECT_TRUE(__asan_address_is_poisoned(freed_before));
  EXPECT_TRUE(__asan_address_is_poisoned(later));
}
#endif

}  // namespace
}  // namespace xip::explore::test
