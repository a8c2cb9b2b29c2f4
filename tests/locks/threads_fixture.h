// Several threads of the host on one set of locks.
#pragma once

#include <functional>
#include <memory_resource>
#include <vector>

#include <gtest/gtest.h>

#include <xip/locks/kthread.h>
#include <xip/locks/lockdep.h>
#include <xip/locks/thread_context.h>
#include <xip/locks/wait_for.h>

namespace xip::test {

// Checked where lockdep is compiled in: any report aborts.
class threads_fixture : public testing::Test {
 protected:
  threads_fixture() { me.deps = &deps; }

  void start(std::function<void()> body) {
    auto made = kthread::run("test", *std::pmr::new_delete_resource(), std::move(body));
    ASSERT_TRUE(made.has_value()) << made.error().message();
    threads.push_back(std::move(*made));
  }
  void join_all() {
    for (kthread& t : threads) t.join();
    threads.clear();
  }

  lockdep deps{*std::pmr::new_delete_resource()};
  thread_context me;
  current_scope scope{me};
  std::vector<kthread> threads;
};

}  // namespace xip::test
