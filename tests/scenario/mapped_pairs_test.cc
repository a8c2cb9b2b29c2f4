// Any two of ten calls on one block of a mapped file, at the same time. Their answers and what they leave must be those of one of the two orders; what
// every race is held against comes on top: page tables, blocks, locks, e2fsck. The tasks have address spaces of their own, which begin with nothing in
// them or with every page, one of which was stored into; with zeroing before a write and without. Some schedules of each; with XIP_ALL_SCHEDULES in the environment all
// that have at most two preemptions.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/falloc.h>

#include <xip/base/exhibits.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/mm/mm.h>
#include <xip/scenario/race.h>

#include "scenario/race_explorer.h"
#include "scenario/race_image.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

enum class call { read, write, load, store, truncate, punch, zero, collapse, fsync, msync };
constexpr std::array names = {"read", "write", "load", "store", "truncate", "punch", "zero", "collapse", "fsync", "msync"};
constexpr unsigned calls = std::size(names);

// Both work on one block of three: the first is written, the second preallocated, the third a hole. Each task has a word of its own in it, and reads the other's.
constexpr unsigned blocks = 3, words_of_block = 3;
enum class pages { untouched, mapped };  // in the beginning: none is in a page table, or each is
struct two_calls {
  std::array<call, 2> what;
  unsigned block;
  pages begin = pages::untouched;
};
std::ostream& operator<<(std::ostream& to, const two_calls& c) {
  return to << names[static_cast<unsigned>(c.what[0])] << " and " << names[static_cast<unsigned>(c.what[1])] << " on block " << c.block
            << (c.begin == pages::mapped ? ", mapped" : "");
}

constexpr std::int64_t nothing_there = -1000, signalled = -1001;

// What the file is, and what calls that are made one after the other do to it and answer: the word, 0, an errno below 0, or one of the two above.
struct model {
  loff_t block_bytes;
  loff_t size;
  std::array<std::array<std::uint64_t, words_of_block>, blocks> words{};

  [[nodiscard]] static loff_t offset_in_block(unsigned word) { return 8 * (static_cast<loff_t>(word) + 1); }
  [[nodiscard]] loff_t place(unsigned block, unsigned word) const { return block * block_bytes + offset_in_block(word); }
  [[nodiscard]] bool has(unsigned block, unsigned word) const { return place(block, word) + 8 <= size; }
  [[nodiscard]] std::int64_t make(call c, unsigned task, unsigned block) {
    const loff_t begin = block * block_bytes;
    const bool has_page = begin < size;
    std::uint64_t &own = words[block][task], &other = words[block][1 - task];
    switch (c) {
      case call::read:
        return has(block, 1 - task) ? static_cast<std::int64_t>(other) : nothing_there;
      case call::load:
        return has_page ? static_cast<std::int64_t>(other) : signalled;
      case call::write:
        own = 10 + task;
        size = std::max(size, place(block, task) + 8);
        return 0;
      case call::store:
        if (has_page) own = 10 + task;
        return has_page ? 0 : signalled;
      case call::truncate:
        for (unsigned b = block; b < blocks; ++b) words[b] = {};
        size = begin;
        return 0;
      case call::punch:
      case call::zero:
        words[block] = {};
        return 0;
      case call::collapse:
        if (begin + block_bytes >= size) return -EINVAL;
        for (unsigned b = block; b < blocks; ++b) words[b] = b + 1 < blocks ? words[b + 1] : decltype(words)::value_type{};
        size -= block_bytes;
        return 0;
      case call::fsync:
      case call::msync:
        return 0;
    }
    return 0;
  }
  friend bool operator==(const model&, const model&) = default;
};

two_calls explored;  // by the scene's tasks

template <bool ZeroesFirst>
struct scene : race {
  static constexpr race_options options{.mount = ZeroesFirst ? "zero=alloc" : ""};
  two_calls pair{};
  int fd = -1;
  mm::user_address at = 0;                    // of the main task
  std::array<mm::user_address, 2> at_task{};  // of the others
  std::array<vfs::task*, 2> other{};
  model begin{};
  std::array<std::int64_t, 2> answers{};
  std::uint64_t synced = 0;  // the word in the first block that a crash may not take any more; 0: none

  void setup() {
    pair = explored;
    begin = {.block_bytes = block(), .size = static_cast<loff_t>(blocks) * block()};
    fd = create("file");
    must(task().ftruncate(fd, begin.size));
    must(task().fallocate(fd, FALLOC_FL_KEEP_SIZE, begin.block_bytes, begin.block_bytes));
    for (unsigned word = 0; word < words_of_block; ++word) {
      const std::uint64_t written = begin.words[0][word] = 5 + word;
      must(task().pwrite(fd, &written, sizeof written, begin.place(0, word)));
    }
    at = map_file(task());
  }
  // The word that nobody else changes is stored into the block that is written: an fsync has something to flush, and may write-protect two mappings.
  void prepare(vfs::task& me, std::size_t i) {
    must(mm::mm_struct::make_for(me));
    at_task.at(i) = map_file(me);
    other.at(i) = &me;
    if (pair.begin == pages::untouched) return;
    for (unsigned b = 0; b < blocks; ++b) {
      std::uint64_t word = 0;
      expect(mm::load(me, address(i, begin.place(b, 2)), &word, sizeof word).has_value(), "every page can be loaded from");
    }
    const std::uint64_t stored = begin.words[0][2] = 8;
    expect(mm::store(me, address(i, begin.place(0, 2)), &stored, sizeof stored).has_value(), "and stored into");
  }
  void first(vfs::task& me) { answers[0] = make_and_sync(me, 0); }
  void second(vfs::task& me) { answers[1] = make_and_sync(me, 1); }

  // What an fsync of the file or an msync of the first block has returned for is durable, unless the other call takes it away.
  [[nodiscard]] std::int64_t make_and_sync(vfs::task& me, unsigned i) {
    const std::int64_t answer = make(me, i);
    const auto takes_away = [](call c) { return c == call::truncate || c == call::punch || c == call::zero || c == call::collapse; };
    const bool syncs = pair.what[i] == call::fsync || (pair.what[i] == call::msync && pair.block == 0);
    if (syncs && answer == 0 && !takes_away(pair.what[1 - i])) synced = begin.words[0][2];
    power_may_fail();
    return answer;
  }
  void recovered(vfs::task& me) {
    if (synced == 0) return;
    const int again = must(me.open("/file", O_RDONLY));
    std::uint64_t word = 0;
    expect_answer(me.pread(again, &word, sizeof word, begin.place(0, 2)), sizeof word);
    must(me.close(again));
    expect_equal(word, synced, "what was synced");
  }

  [[nodiscard]] std::int64_t make(vfs::task& me, unsigned i) const {
    const auto plain = [](const result<>& r) { return r ? 0 : -std::int64_t{r.error().number()}; };
    const loff_t bytes = begin.block_bytes, from = pair.block * bytes;
    std::uint64_t word = 10 + i;
    switch (pair.what[i]) {
      case call::read:
        return must(me.pread(fd, &word, sizeof word, begin.place(pair.block, 1 - i))) == sizeof word ? static_cast<std::int64_t>(word)
                                                                                                     : nothing_there;
      case call::write:
        expect_answer(me.pwrite(fd, &word, sizeof word, begin.place(pair.block, i)), sizeof word);
        return 0;
      case call::load:
        return mm::load(me, address(i, begin.place(pair.block, 1 - i)), &word, sizeof word) ? static_cast<std::int64_t>(word) : signalled;
      case call::store:
        return mm::store(me, address(i, begin.place(pair.block, i)), &word, sizeof word) ? 0 : signalled;
      case call::truncate:
        return plain(me.ftruncate(fd, from));
      case call::punch:
        return plain(me.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, bytes));
      case call::zero:
        return plain(me.fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, from, bytes));
      case call::collapse:
        return plain(me.fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, from, bytes));
      case call::fsync:
        return plain(me.fsync(fd));
      case call::msync:
        return plain(mm::msync(me, address(i, from), static_cast<std::size_t>(bytes), MS_SYNC));
    }
    return 0;
  }

  // What is there, and every mapping shows the same.
  [[nodiscard]] model found() const {
    model now = begin;
    now.size = must(task().fstat(fd)).size;
    for (unsigned b = 0; b < blocks; ++b)
      for (unsigned word = 0; word < words_of_block; ++word) {
        std::uint64_t& read = now.words[b][word] = 0;
        if (!now.has(b, word)) continue;
        expect_answer(task().pread(fd, &read, sizeof read, now.place(b, word)), sizeof read);
        // A fault takes zero pages out of all page tables, so who has loaded before is asked first: the second of a write and a load.
        for (const std::size_t i : {1, 0}) expect_loaded(*other[i], address(i, now.place(b, word)), read);
        expect_loaded(task(), at + static_cast<mm::user_address>(now.place(b, word)), read);
      }
    return now;
  }
  void check() {
    const model now = found();
    std::string expected;
    for (const std::array<unsigned, 2> order : {std::array{0u, 1u}, std::array{1u, 0u}}) {
      model m = begin;
      std::array<std::int64_t, 2> said{};
      for (const unsigned i : order) said[i] = m.make(pair.what[i], i, pair.block);
      for (unsigned b = 0; b < blocks; ++b)
        for (unsigned word = 0; word < words_of_block; ++word)
          if (!m.has(b, word)) m.words[b][word] = 0;
      if (said == answers && m == now) return;
      expected += fmt::format("\n{} and {}, size {}, words {}", said[0], said[1], m.size, fmt::join(m.words[pair.block], " "));
    }
    expect(false, fmt::format("no order explains {} and {}, size {}, words {}; the two leave{}", answers[0], answers[1], now.size,
                              fmt::join(now.words[pair.block], " "), expected));
  }

 private:
  void expect_loaded(vfs::task& me, mm::user_address from, std::uint64_t word) const {
    std::uint64_t loaded = 0;
    expect(mm::load(me, from, &loaded, sizeof loaded).has_value(), "what is in the file can be loaded");
    expect_equal(loaded, word, "the word in a mapping");
  }
  [[nodiscard]] mm::user_address map_file(vfs::task& me) const {
    return must(mm::mmap(me, 0, static_cast<std::size_t>(begin.size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  }
  [[nodiscard]] mm::user_address address(std::size_t task, loff_t offset) const {
    return at_task.at(task) + static_cast<mm::user_address>(offset);
  }
};

template <bool ZeroesFirst>
constexpr race_member<scene<ZeroesFirst>> tasks[] = {{"first", &scene<ZeroesFirst>::first}, {"second", &scene<ZeroesFirst>::second}};
template <bool ZeroesFirst>
constexpr scenario pair_of_calls{"race/pair",   "race",  "two calls on one mapped block",
                                 {.dax = true}, nullptr, &race_plan_of<scene<ZeroesFirst>, tasks<ZeroesFirst>>::plan};

const race_ground& ground() {
  static const race_ground prepared = prepare_race_ground().value_or(race_ground{});
  return prepared;
}

[[nodiscard]] explore::report explore(const two_calls& pair, const race_conditions& conditions, explore::explore_options how,
                                      bool zeroes_first = false) {
  explored = pair;
  race_explorer e{zeroes_first ? pair_of_calls<true> : pair_of_calls<false>, ext4lite_file_system(), ground(), conditions, std::move(how)};
  return e.run();
}

[[nodiscard]] explore::explore_options schedules() {
  explore::explore_options o;
  const bool all = std::getenv("XIP_ALL_SCHEDULES") != nullptr;
  o.strategies = {*explore::parse_strategy(all ? "bound=2" : "pct=3")};
  if (!all) o.max_schedules = 25;
  return o;
}

class MappedPair : public testing::TestWithParam<std::array<call, 2>> {
 protected:
  void SetUp() override {
    if (find_tool("mke2fs").empty() || find_tool("e2fsck").empty()) GTEST_SKIP() << "no e2fsprogs";
    ASSERT_FALSE(ground().image.empty());
  }
  std::uint64_t schedules_ = 0;
};

TEST_P(MappedPair, IsExplainedByAnOrder) {
  for (unsigned block = 0; block < blocks; ++block)
    for (const pages begin : {pages::untouched, pages::mapped})
      for (const bool zeroes_first : {false, true}) {
        // Who zeroes a block before it is written is asked about writes.
        if (zeroes_first && std::ranges::find(GetParam(), call::write) == GetParam().end()) continue;
        const two_calls pair{GetParam(), block, begin};
        const explore::report r = explore(pair, {}, schedules(), zeroes_first);
        EXPECT_TRUE(r.passed()) << pair << "\n" << r.failures[0].minimised.text << "\n" << r.failures[0].minimised.token;
        EXPECT_GT(r.schedules, 1u) << pair;
        schedules_ += r.schedules;
      }
  RecordProperty("schedules", fmt::format("{}", schedules_));
}

[[nodiscard]] std::vector<std::array<call, 2>> all_pairs() {
  std::vector<std::array<call, 2>> pairs;
  for (unsigned first = 0; first < calls; ++first)
    for (unsigned second = first; second < calls; ++second) pairs.push_back({static_cast<call>(first), static_cast<call>(second)});
  return pairs;
}

INSTANTIATE_TEST_SUITE_P(of, MappedPair, testing::ValuesIn(all_pairs()), [](const auto& each) {
  return fmt::format("{}_and_{}", names[static_cast<unsigned>(each.param[0])], names[static_cast<unsigned>(each.param[1])]);
});

#if XIP_EXHIBITS
TEST(MappedPairs, FindPlantedBugs) {
  if (find_tool("mke2fs").empty() || find_tool("e2fsck").empty()) GTEST_SKIP() << "no e2fsprogs";
  const std::tuple<exhibit_place, two_calls> bugs[] = {
      {exhibit_place::slice_unlocked, {{call::write, call::store}, 1}},
      {exhibit_place::zeros_kept_by_write, {{call::write, call::load}, 2}},
      {exhibit_place::zeros_kept_by_fault, {{call::load, call::store}, 2}},
      {exhibit_place::pages_kept_mapped, {{call::read, call::truncate}, 0, pages::mapped}},
      {exhibit_place::not_write_protected, {{call::store, call::fsync}, 0, pages::mapped}},
      {exhibit_place::cleaned_before_flush, {{call::fsync, call::msync}, 0, pages::mapped}},
  };
  for (const auto& [place, pair] : bugs) {
    const planted_bug bug{.number = 1, .name = "planted", .places = place};
    explore::explore_options o;
    o.strategies = {*explore::parse_strategy("bound=2")};
    EXPECT_FALSE(explore(pair, {.bug = &bug}, o).passed()) << pair;
  }
}
#endif

}  // namespace
}  // namespace xip::scenario
