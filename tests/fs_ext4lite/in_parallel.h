// Several tasks of one kernel at the same time, and a point at which one of them can be held.
#pragma once

#include <atomic>
#include <functional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <xip/base/points.h>
#include <xip/locks/kthread.h>
#include <xip/locks/wait_for.h>

#include "fs_ext4lite/image.h"

namespace xip::ext4lite::test {

// Runs BODY(task, number) in COUNT tasks at the same time.
template <class Body>
void in_parallel(mounted& m, int count, Body&& body) {
  std::vector<kthread> threads;
  std::vector<vfs::task*> tasks;
  for (int i = 0; i < count; ++i) {
    tasks.push_back(*m.kernel().make_task());
    auto made = kthread::run("worker", m.kernel().memory(), [&body, t = tasks.back(), i] { body(*t, i); });
    ASSERT_TRUE(made);
    threads.push_back(std::move(*made));
  }
  for (kthread& t : threads) t.join();
  for (vfs::task* t : tasks) m.kernel().exit_task(t);
}

// Whoever listens with it and is the first to come to a point stands there until UNTIL() is true.
class hold_at final : public point_sink {
 public:
  hold_at(point where, std::function<bool()> until) : where_{where}, until_{std::move(until)} {}

  void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {
    if (p != where_ || reached_.exchange(true)) return;
    wait_for(until_);
    let_go_ = true;
  }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
  // For the others.
  void wait_until_reached() const {
    wait_for([this] { return reached_.load(); });
  }
  [[nodiscard]] bool let_go() const noexcept { return let_go_; }

 private:
  const point where_;
  const std::function<bool()> until_;
  std::atomic<bool> reached_{false}, let_go_{false};
};

}  // namespace xip::ext4lite::test
