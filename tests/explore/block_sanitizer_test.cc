// The block sanitizer: what it must report, and what it must stay silent about.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <xip/dev/devices.h>
#include <xip/explore/block_sanitizer.h>
#include <xip/locks/kthread.h>

#include "explore/litmus.h"

namespace xip::explore::test {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t device_bytes = std::uint64_t{1} << 20;
constexpr pblk_t here_block{40};
constexpr ino_t ours{12};
constexpr ino_t theirs{13};

// What happens to blocks 40 to 43, in short words.
struct deeds {
  block_sanitizer& s;
  void alloc(ino_t ino = ours, std::uint32_t generation = 1) { s.on_alloc(here_block, 4, dev::block_owner::file, ino, generation); }
  void alloc_metadata(ino_t ino = ours) { s.on_alloc(here_block, 4, dev::block_owner::metadata, ino, 1); }
  void free() { s.on_free(here_block, 4); }
  void commit() { s.on_commit(); }
  void read(ino_t ino = ours, std::uint32_t generation = 1) { s.on_access(here_block + 1, 2, ino, generation, false); }
  void write(ino_t ino = ours, std::uint32_t generation = 1) { s.on_access(here_block + 1, 2, ino, generation, true); }
  void metadata(bool write = false) { s.on_metadata(here_block + 1, write); }
};

class BlockSanitizer : public testing::Test {
 protected:
  BlockSanitizer() {
    sanitizer.report_to([this](const block_report& r) { reports.push_back(r); });
  }
  // The one report that the last deed gave.
  void expect_report(block_misuse what, pblk_t block = here_block + 1) {
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].what, what) << reports[0].text;
    EXPECT_EQ(reports[0].block, block);
    EXPECT_THAT(reports[0].text, HasSubstr("block " + std::to_string(block.value()) + ", " + std::string{misuse_name(what)}));
    reports.clear();
  }

  std::unique_ptr<dev::device> device = dev::open_memory(device_bytes).value();
  block_sanitizer sanitizer{*device};
  std::vector<block_report> reports;
  deeds d{sanitizer};
};

TEST_F(BlockSanitizer, IsSilentAboutTheLifeOfABlock) {
  for (const std::uint32_t generation : {1u, 2u}) {
    d.alloc(ours, generation);
    d.read(ours, generation);
    d.write(ours, generation);
    d.free();
    d.commit();
    d.alloc_metadata();
    d.metadata(true);
    d.metadata(false);
    d.free();
    d.commit();
  }
  EXPECT_TRUE(reports.empty()) << reports[0].text;
}

// What was there before it came.
TEST_F(BlockSanitizer, LearnsTheOwnerFromTheFirstUse) {
  EXPECT_EQ(sanitizer.owner_of(here_block).state, block_state::unknown);
  d.read(ours, 7);
  EXPECT_EQ(sanitizer.owner_of(here_block + 1).state, block_state::file);
  EXPECT_EQ(sanitizer.owner_of(here_block + 1).ino, ours);
  EXPECT_EQ(sanitizer.owner_of(here_block + 1).generation, 7u);
  EXPECT_EQ(sanitizer.owner_of(here_block + 3).state, block_state::unknown);
  d.write(ours, 7);
  d.free();
  d.commit();
  d.alloc(theirs);
  EXPECT_TRUE(reports.empty()) << reports[0].text;
  sanitizer.on_metadata(here_block + 8, false);
  sanitizer.on_access(here_block + 8, 1, ours, 7, false);
  expect_report(block_misuse::foreign_use, here_block + 8);
}

TEST_F(BlockSanitizer, ReportsTheUseOfAFreeBlock) {
  d.alloc();
  d.free();
  d.commit();
  d.read();
  EXPECT_THAT(reports.at(0).text, HasSubstr("read as data of inode 12 (generation 1)"));
  EXPECT_THAT(reports.at(0).text, HasSubstr("but it is free, and was data of inode 12 (generation 1)"));
  expect_report(block_misuse::used_after_free);
  d.write();
  expect_report(block_misuse::used_after_free);
  d.metadata();
  expect_report(block_misuse::used_after_free);
}

TEST_F(BlockSanitizer, ReportsTheUseOfABlockWhoseFreeIsNotDurable) {
  d.alloc();
  d.free();
  d.write();
  EXPECT_THAT(reports.at(0).text, HasSubstr("but it is freed, not yet durable, and was data of inode 12"));
  expect_report(block_misuse::used_while_pending);
  d.metadata(true);
  expect_report(block_misuse::used_while_pending);
}

TEST_F(BlockSanitizer, ReportsTheUseOfAForeignBlock) {
  d.alloc();
  d.read(theirs);
  EXPECT_THAT(reports.at(0).text, HasSubstr("but it is data of inode 12 (generation 1)"));
  EXPECT_EQ(reports.at(0).expected.ino, theirs);
  EXPECT_EQ(reports.at(0).found.ino, ours);
  expect_report(block_misuse::foreign_use);
  d.write(ours, 2);
  expect_report(block_misuse::foreign_use);
  d.metadata();
  EXPECT_THAT(reports.at(0).text, HasSubstr("read as metadata"));
  expect_report(block_misuse::foreign_use);
}

TEST_F(BlockSanitizer, ReportsDataAccessToMetadata) {
  d.alloc_metadata();
  d.write();
  EXPECT_THAT(reports.at(0).text, HasSubstr("but it is metadata of inode 12"));
  expect_report(block_misuse::foreign_use);
}

TEST_F(BlockSanitizer, ReportsAnAllocationOfWhatIsInUse) {
  d.alloc();
  d.alloc(theirs);
  EXPECT_THAT(reports.at(0).text, HasSubstr("allocated as data of inode 13"));
  expect_report(block_misuse::allocated_in_use, here_block);
  d.write(theirs);
  EXPECT_TRUE(reports.empty()) << "one mistake, one report";
}

TEST_F(BlockSanitizer, ReportsAnAllocationBeforeTheCommitOfTheFree) {
  d.alloc();
  d.free();
  d.alloc(theirs);
  expect_report(block_misuse::allocated_pending, here_block);
  d.commit();
  d.write(theirs);
  EXPECT_TRUE(reports.empty()) << "the commit is of the old free";
}

TEST_F(BlockSanitizer, ReportsASecondFree) {
  d.alloc();
  d.free();
  d.free();
  expect_report(block_misuse::freed_twice, here_block);
  d.commit();
  d.free();
  expect_report(block_misuse::freed_twice, here_block);
}

TEST_F(BlockSanitizer, LeavesBlocksBehindTheDeviceToTheDevice) {
  sanitizer.on_access(pblk_t{~std::uint64_t{0} >> 1}, 1, ours, 1, true);
  sanitizer.on_free(pblk_t{device_bytes / 512}, ~0u);
  EXPECT_TRUE(reports.empty());
  EXPECT_EQ(sanitizer.owner_of(pblk_t{device_bytes / 512}).state, block_state::unknown);
}

TEST_F(BlockSanitizer, RestorePutsBackWhatWasSaved) {
  d.alloc();
  sanitizer.on_alloc(pblk_t{60}, 1, dev::block_owner::file, theirs, 1);
  sanitizer.on_free(pblk_t{60}, 1);
  ASSERT_TRUE(sanitizer.save());
  for (int round = 0; round < 3; ++round) {
    d.free();
    d.commit();
    d.alloc(theirs);
    sanitizer.on_alloc(pblk_t{60}, 1, dev::block_owner::file, theirs, 1);
    sanitizer.on_alloc(pblk_t{1500}, 1, dev::block_owner::file, theirs, 1);  // the shadow grows
    ASSERT_TRUE(reports.empty()) << reports[0].text;
    sanitizer.restore();
    d.read();
    EXPECT_TRUE(reports.empty()) << reports[0].text;
    EXPECT_EQ(sanitizer.owner_of(pblk_t{60}).state, block_state::pending);
    EXPECT_EQ(sanitizer.owner_of(pblk_t{1500}).state, block_state::unknown);
  }
  d.commit();
  EXPECT_EQ(sanitizer.owner_of(pblk_t{60}).state, block_state::free) << "what was pending at save() is so again";
}

TEST_F(BlockSanitizer, TellsThePointsThatLedThere) {
  for (std::uint64_t n = 0; n < block_sanitizer::trail_length + 3; ++n) sanitizer.on_point(point::xip_copy_piece, n, 0, 0);
  sanitizer.on_point(point::xip_before_drain, 77, 8, 9);
  d.free();
  d.read();
  ASSERT_EQ(reports.size(), 1u);
  const std::string& text = reports[0].text;
  EXPECT_THAT(text, HasSubstr("xip_before_drain 77 8 9"));
  EXPECT_THAT(text, HasSubstr("xip_copy_piece 4 0 0"));
  EXPECT_THAT(text, testing::Not(HasSubstr("xip_copy_piece 3 0 0")));
  EXPECT_LT(text.find("xip_copy_piece 5 "), text.find("xip_before_drain"));
}

TEST_F(BlockSanitizer, PassesPointsOnAndLeavesTheDeviceAlone) {
  class injector final : public point_sink {
   public:
    void on_point(point, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override { ++points; }
    int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 5; }
    int points = 0;
  } next;
  EXPECT_EQ(sanitizer.inject(point::buffer_read, 0, 0), 0);
  sanitizer.pass_points_to(&next);
  sanitizer.on_point(point::dev_fence, 0, 0, 0);
  EXPECT_EQ(next.points, 1);
  EXPECT_EQ(sanitizer.inject(point::buffer_read, 0, 0), 5);
  {
    const auto other = dev::open_memory(device_bytes).value();
    {
      const block_sanitizer short_lived{*other};
      EXPECT_EQ(other->observer(), &short_lived);
    }
    EXPECT_EQ(other->observer(), nullptr);
  }
}

// ---- under an explorer ------------------------------------------------------------------------------------------------------------------

// A reader holds a mapping that a truncate takes away, unless LOCKED.
program stale_reader(dev::device& device, block_sanitizer& s, fresh<mutex<first_class>>& lock, bool locked) {
  program p{.name = "stale-reader", .state = {&s, &lock}};
  p.setup = [&device, &s](scheduler& sched) {
    s.report_to(sched);
    device.observer()->on_alloc(here_block, 4, dev::block_owner::file, ours, 1);
  };
  const auto under_lock = [&lock, locked](const std::function<void()>& body) {
    if (!locked) return body();
    const mutex_guard guard{*lock};
    body();
  };
  p.tasks = {{"reader",
              [=, &device] {
                under_lock([&] {
                  if (static_cast<block_sanitizer*>(device.observer())->owner_of(here_block).state != block_state::file) return;
                  here(111);
                  device.observer()->on_access(here_block, 1, ours, 1, false);
                });
              }},
             {"truncate", [=, &device] {
                under_lock([&] {
                  device.observer()->on_free(here_block, 4);
                  there(222);
                  device.observer()->on_commit();
                });
              }}};
  return p;
}

class ExploredSanitizer : public testing::Test {
 protected:
  std::unique_ptr<dev::device> device = dev::open_memory(device_bytes).value();
  block_sanitizer sanitizer{*device};
  fresh<mutex<first_class>> lock;
};

TEST_F(ExploredSanitizer, FailsTheScheduleWhereTheBlockIsMisused) {
  const program p = stale_reader(*device, sanitizer, lock, false);
  const report r = explore(p, with("bound=1"));
  ASSERT_EQ(r.failures.size(), 1u);
  const schedule_report& f = r.failures[0].minimised;
  EXPECT_EQ(f.failed, failure_kind::reported);
  EXPECT_EQ(f.preemptions, 1u);
  EXPECT_THAT(f.text, HasSubstr("block 40, used "));
  EXPECT_THAT(f.text, HasSubstr("read as data of inode 12 (generation 1) by 'reader'"));
  EXPECT_THAT(f.text, HasSubstr("truncate   xip_before_drain 222"));
  EXPECT_EQ(f.trace.back().kind, event_kind::fail);
  EXPECT_EQ(f.tasks[f.trace.back().task], "reader");
  const auto again = replay(p, f.token);
  ASSERT_TRUE(again.has_value()) << again.error();
  EXPECT_EQ(again->text, f.text) << "a replay says the same";
}

TEST_F(ExploredSanitizer, IsSilentWhereALockKeepsThemApart) {
  const report r = explore(stale_reader(*device, sanitizer, lock, true), with("exhaustive"));
  EXPECT_TRUE(r.passed()) << r.failures[0].first.text;
  EXPECT_TRUE(r.complete);
  EXPECT_GT(r.schedules, 1u);
}

TEST_F(ExploredSanitizer, TheTraceTellsWhoOwnsWhat) {
  program p = stale_reader(*device, sanitizer, lock, true);
  p.check = [] { throw failure{"to see the trace"}; };
  const report r = explore(p, with("bound=0"));
  ASSERT_EQ(r.failures.size(), 1u);
  std::vector<std::string> told;
  for (const event& e : r.failures[0].first.trace)
    if (e.kind >= event_kind::access) told.push_back(format_event(e, r.failures[0].first.tasks).substr(6));
  EXPECT_EQ(told, (std::vector<std::string>{"reader     access 40+1 read inode 12", "truncate   free 40+4", "truncate   commit"}));
}

// ---- on threads -------------------------------------------------------------------------------------------------------------------------

TEST_F(BlockSanitizer, IsSafeOnThreads) {
  constexpr int threads = 4, rounds = 300;
  sanitizer.report_to([](const block_report& r) { ADD_FAILURE() << r.text; });
  std::vector<kthread> running;
  for (int n = 0; n < threads; ++n) {
    auto made = kthread::run("worker", *std::pmr::new_delete_resource(), [this, n] {
      const pblk_t mine{static_cast<std::uint64_t>(100 + 50 * n)};
      const ino_t ino{static_cast<std::uint32_t>(20 + n)};
      for (int i = 0; i < rounds; ++i) {
        sanitizer.on_alloc(mine + static_cast<std::uint64_t>(i) % 40, 1, dev::block_owner::file, ino, 1);
        sanitizer.on_point(point::xip_copy_piece, static_cast<std::uint64_t>(i), 0, 0);
        sanitizer.on_access(mine + static_cast<std::uint64_t>(i) % 40, 1, ino, 1, i % 2 == 0);
        sanitizer.on_free(mine + static_cast<std::uint64_t>(i) % 40, 1);
        sanitizer.on_commit();
      }
    });
    ASSERT_TRUE(made);
    running.push_back(std::move(*made));
  }
  for (kthread& t : running) t.join();
  EXPECT_EQ(sanitizer.reports(), 0u);
}

}  // namespace
}  // namespace xip::explore::test
