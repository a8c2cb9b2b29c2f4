#include <xip/locks/kthread.h>

#include <memory_resource>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <xip/base/points.h>
#include <xip/locks/clock.h>
#include <xip/locks/lockdep.h>
#include <xip/locks/wait_queue.h>

namespace xip::test {
namespace {

class silent_sink final : public point_sink {
 public:
  void on_point(point, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override { ++hits; }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
  int hits = 0;
};

TEST(Kthread, RunsInAContextOfItsOwn) {
  thread_context* seen = nullptr;
  std::string name;
  auto thread = kthread::run("worker", *std::pmr::new_delete_resource(), [&] {
    seen = &current();
    name = current().name;
  });
  ASSERT_TRUE(thread.has_value());
  thread->join();
  EXPECT_NE(seen, nullptr);
  EXPECT_NE(seen, &current());
  EXPECT_EQ(name, "worker");
}

TEST(Kthread, InheritsCheckerAndSink) {
  lockdep deps{*std::pmr::new_delete_resource()};
  silent_sink sink;
  thread_context me;
  me.deps = &deps;
  me.points = &sink;
  const current_scope scope{me};
  auto thread = kthread::run("worker", *std::pmr::new_delete_resource(), [&] {
    EXPECT_EQ(current().deps, &deps);
    EXPECT_EQ(current().sched, nullptr);
    XIP_POINT(dev_fence);
  });
  ASSERT_TRUE(thread.has_value());
  thread->join();
  EXPECT_EQ(sink.hits, 1);
}

TEST(Kthread, StateComesFromTheMemoryGiven) {
  std::pmr::monotonic_buffer_resource none{std::pmr::null_memory_resource()};
  auto thread = kthread::run("worker", none, [] {});
  ASSERT_FALSE(thread.has_value());
  EXPECT_EQ(thread.error(), ENOMEM);
}

TEST(Kthread, JoinTwiceAndMove) {
  int runs = 0;
  auto made = kthread::run("worker", *std::pmr::new_delete_resource(), [&] { ++runs; });
  ASSERT_TRUE(made.has_value());
  kthread moved = std::move(*made);
  moved.join();
  moved.join();
  EXPECT_EQ(runs, 1);
  auto other = kthread::run("worker", *std::pmr::new_delete_resource(), [&] { ++runs; });
  ASSERT_TRUE(other.has_value());
  moved = std::move(*other);
  moved = kthread{std::move(moved)};
  moved.join();
  EXPECT_EQ(runs, 2);
}

TEST(Kthread, DestructorJoins) {
  completion go;
  int runs = 0;
  {
    auto thread = kthread::run("worker", *std::pmr::new_delete_resource(), [&] {
      go.wait();
      ++runs;
    });
    ASSERT_TRUE(thread.has_value());
    go.complete_all();
  }
  EXPECT_EQ(runs, 1);
}

TEST(Current, DefaultContextHasNothing) {
  EXPECT_EQ(current().sched, nullptr);
  EXPECT_EQ(current().deps, nullptr);
  EXPECT_EQ(current().held_count, 0u);
}

TEST(Current, EachHostThreadHasItsOwnDefault) {
  const thread_context* other = nullptr;
  std::thread{[&] { other = &current(); }}.join();
  EXPECT_NE(other, &current());
}

TEST(Current, ScopeRestoresWhatWas) {
  thread_context& before = current();
  silent_sink sink;
  thread_context outer, inner;
  outer.points = &sink;
  {
    const current_scope one{outer};
    EXPECT_EQ(&current(), &outer);
    EXPECT_EQ(current_point_sink, &sink);
    {
      const current_scope two{inner};
      EXPECT_EQ(&current(), &inner);
      EXPECT_EQ(current_point_sink, nullptr);
    }
    EXPECT_EQ(&current(), &outer);
    EXPECT_EQ(current_point_sink, &sink);
  }
  EXPECT_EQ(&current(), &before);
  EXPECT_EQ(current_point_sink, nullptr);
}

TEST(Clock, MonotonicDoesNotGoBack) {
  const auto first = monotonic_now();
  EXPECT_GE(monotonic_now(), first);
  EXPECT_GT(first.count(), 0);
}

TEST(Clock, RealtimeIsThisCentury) { EXPECT_GT(realtime_now_coarse(), std::chrono::years{40}); }

}  // namespace
}  // namespace xip::test
