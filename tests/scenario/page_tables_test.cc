// What a page table may hold, looked at after each step: nobody here loads what would be wrong, so that nothing else can find it.
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/mman.h>

#include <xip/base/exhibits.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/mm/mm.h>
#include <xip/scenario/race.h>

#include "scenario/race_explorer.h"
#include "scenario/race_image.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

// A page of a hole that the main task has mapped.
struct mapped_zeros : race {
  int fd = -1, other = -1;

  void setup() {
    fd = create("file");
    other = create("other");
    must(task().ftruncate(fd, block()));
    std::uint64_t word = 1;
    const bool loaded = mm::load(task(), map(task()), &word, sizeof word).has_value();
    expect(loaded && word == 0, "a hole is zeros");
  }
  void syncer(vfs::task& me) { must(me.fsync(other)); }

 protected:
  [[nodiscard]] mm::user_address map(vfs::task& me) const {
    return must(mm::mmap(me, 0, block(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  }
};

struct written_zeros : mapped_zeros {
  void writer(vfs::task& me) {
    const std::uint64_t word = 7;
    expect_equal(must(me.pwrite(fd, &word, sizeof word, 0)), sizeof word, "what was written");
  }
};

// By a task in an address space of its own.
struct stored_zeros : mapped_zeros {
  mm::user_address at = 0;

  void prepare(vfs::task& me, std::size_t i) {
    must(mm::mm_struct::make_for(me));
    if (i == 0) at = map(me);
  }
  void storer(vfs::task& me) {
    const std::uint64_t word = 7;
    expect(mm::store(me, at, &word, sizeof word).has_value(), "a store succeeds");
  }
};

// A block that holds nothing but zeros reads like the page that hides it.
struct zeros_over_zeros : mapped_zeros {
  void writer(vfs::task& me) {
    const std::uint64_t word = 0;
    expect_equal(must(me.pwrite(fd, &word, sizeof word, 0)), sizeof word, "what was written");
  }
};

constexpr race_member<written_zeros> written_tasks[] = {{"writer", &written_zeros::writer}, {"syncer", &written_zeros::syncer}};
constexpr race_member<stored_zeros> stored_tasks[] = {{"storer", &stored_zeros::storer}, {"syncer", &stored_zeros::syncer}};
constexpr race_member<zeros_over_zeros> zero_tasks[] = {{"writer", &zeros_over_zeros::writer}, {"syncer", &zeros_over_zeros::syncer}};

template <class Scene, const auto& Members>
constexpr scenario planted_race(std::string_view name) {
  return {name, "race", "planted", {.dax = true}, [](run&) {}, &race_plan_of<Scene, Members>::plan};
}

constexpr scenario written = planted_race<written_zeros, written_tasks>("race/101");
constexpr scenario stored = planted_race<stored_zeros, stored_tasks>("race/102");
constexpr scenario over_zeros = planted_race<zeros_over_zeros, zero_tasks>("race/103");

class PageTables : public testing::Test {
 protected:
  void SetUp() override {
    if (find_tool("mke2fs").empty() || find_tool("e2fsck").empty()) GTEST_SKIP() << "no e2fsprogs";
    ASSERT_FALSE(ground().image.empty());
  }
  [[nodiscard]] static explore::report explore_with(const scenario& what, const planted_bug* bug) {
    explore::explore_options o;
    o.strategies = {*explore::parse_strategy("bound=1")};
    race_explorer all{what, ext4lite_file_system(), ground(), {.bug = bug, .check_locks = false}, std::move(o)};
    return all.run();
  }

 private:
  [[nodiscard]] static const race_ground& ground() {
    static const race_ground prepared = prepare_race_ground().value_or(race_ground{});
    return prepared;
  }
};

TEST_F(PageTables, HoldZerosOnlyWhereNothingElseIsWritten) {
  for (const scenario* what : {&written, &stored, &over_zeros}) {
    const explore::report r = explore_with(*what, nullptr);
    EXPECT_TRUE(r.passed()) << what->name << ": " << r.failures[0].first.text;
    EXPECT_TRUE(r.complete);
  }
}

#if XIP_EXHIBITS
void expect_found(const explore::report& r) {
  ASSERT_EQ(r.failures.size(), 1u);
  EXPECT_EQ(oracle_of(r.failures[0].minimised), "page tables");
  EXPECT_THAT(r.failures[0].minimised.text, testing::HasSubstr("maps zeros for page 0 of inode"));
}

TEST_F(PageTables, HoldNoZerosOverWhatWasWritten) {
  for (const exhibit_place place : {exhibit_place::zeros_kept_by_write, exhibit_place::zeros_dropped_late}) {
    SCOPED_TRACE(exhibit_place_name(place));
    const planted_bug bug{.number = 1, .name = "planted", .places = place};
    expect_found(explore_with(written, &bug));
  }
}

TEST_F(PageTables, HoldNoZerosOverWhatWasStored) {
  const planted_bug bug{.number = 1, .name = "planted", .places = exhibit_place::zeros_kept_by_fault};
  expect_found(explore_with(stored, &bug));
}

TEST_F(PageTables, MayHoldZerosOverZeros) {
  const planted_bug bug{.number = 1, .name = "planted", .places = exhibit_place::zeros_kept_by_write};
  const explore::report r = explore_with(over_zeros, &bug);
  EXPECT_TRUE(r.passed()) << r.failures[0].first.text;
}
#endif

}  // namespace
}  // namespace xip::scenario
