// What lockdep saw: edges, their functions, the file for tools, contention counts.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include <unistd.h>

#include <xip/locks/kthread.h>
#include <xip/locks/wait_for.h>

#include "locks/lockdep_fixture.h"

namespace xip::test {

struct place_of_order {
  // Not inlined, so that a stack has it.
  [[gnu::noinline]] static void takes_b_under_a(mutex<a_class>& a, mutex<b_class>& b) {
    const mutex_guard outer{a};
    const mutex_guard inner{b};
    asm volatile("");
  }
};

namespace {

[[gnu::noinline]] void takes_a_under_b(mutex<a_class>& a, mutex<b_class>& b) {
  const mutex_guard outer{b};
  const mutex_guard inner{a};
  asm volatile("");
}

class LockdepEdges : public lockdep_fixture {
 protected:
  static std::string text_of(const lock_edge& e) {
    return e.before + " " + e.after + (e.before_exclusive ? " x" : " s") + (e.after_exclusive ? " x" : " s");
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const auto& e : deps.edges()) all.push_back(text_of(e));
    return all;
  }
};

TEST_F(LockdepEdges, NamedByClassSubclassAndKind) {
  {
    const shared_guard one{rw, subclass_parent};
    const mutex_guard two{a};
    pseudo_acquire(handle_class, this, false);
    pseudo_release(handle_class, this);
  }
  EXPECT_EQ(texts(), (std::vector<std::string>{"test_rw/1 test_a s x", "test_rw/1 test_handle s s", "test_a test_handle x s"}));
}

TEST_F(LockdepEdges, EachKindOnce) {
  for (int i = 0; i < 3; ++i) {
    {
      const shared_guard one{rw};
      const mutex_guard two{a};
    }
    {
      const exclusive_guard one{rw};
      const mutex_guard two{a};
    }
    {
      const mutex_guard one{b};
      const shared_guard two{rw};
    }
    {
      const mutex_guard one{b};
      const exclusive_guard two{rw};
    }
  }
  EXPECT_EQ(texts(), (std::vector<std::string>{"test_rw test_a s x", "test_rw test_a x x", "test_b test_rw x s", "test_b test_rw x x"}));
}

TEST_F(LockdepEdges, TryLockHasNone) XIP_NO_THREAD_SAFETY_ANALYSIS {
  const mutex_guard one{a};
  ASSERT_TRUE(b.try_lock());
  b.unlock();
  EXPECT_TRUE(texts().empty());
}

TEST_F(LockdepEdges, NestingClassShowsItself) {
  pseudo_acquire(entry_class, &a, true);
  pseudo_acquire(entry_class, &b, true);
  EXPECT_EQ(texts(), std::vector<std::string>{"test_entry test_entry x x"});
}

TEST_F(LockdepEdges, WrongEdgeIsLeftOut) {
  place_of_order::takes_b_under_a(a, b);
  takes_a_under_b(a, b);
  EXPECT_EQ(reports.size(), 1u);
  EXPECT_EQ(texts(), std::vector<std::string>{"test_a test_b x x"});
}

TEST_F(LockdepEdges, FunctionIsTheOneThatTookTheLock) {
  place_of_order::takes_b_under_a(a, b);
  ASSERT_EQ(deps.edges().size(), 1u);
  EXPECT_EQ(deps.edges()[0].function, "xip::test::place_of_order::takes_b_under_a");
}

TEST_F(LockdepEdges, ReportNamesFunctionsOfBothStacksOfEachEdge) {
  place_of_order::takes_b_under_a(a, b);
  takes_a_under_b(a, b);
  ASSERT_EQ(reports.size(), 1u);
  const std::string& text = reports[0].text;
  const auto count = [&](const std::string& what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("      xip::test::place_of_order::takes_b_under_a\n"), 2u) << text;
  EXPECT_EQ(count("      xip::test::(anonymous namespace)::takes_a_under_b\n"), 2u) << text;
  EXPECT_NE(text.find("  test_a -> test_b -> test_a\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_b -> test_a, now:\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("lock_core"), std::string::npos) << text;
}

TEST_F(LockdepEdges, SubclassesAreNumberedByFirstUse) {
  // The same run gives the same list, whatever the addresses of the classes are.
  const auto run = [](lockdep& checked) {
    thread_context context;
    context.deps = &checked;
    const current_scope as_other{context};
    mutex<d_class> d1;
    mutex<c_class> c1;
    mutex<b_class> b1;
    const mutex_guard one{d1};
    const mutex_guard two{b1};
    const mutex_guard three{c1};
  };
  const auto list = [](const lockdep& checked) {
    std::vector<std::string> all;
    for (const auto& e : checked.edges()) all.push_back(text_of(e) + e.function);
    return all;
  };
  lockdep first{*std::pmr::new_delete_resource()}, second{*std::pmr::new_delete_resource()};
  run(first);
  run(second);
  EXPECT_EQ(list(first).size(), 3u);
  EXPECT_EQ(list(first), list(second));
}

// The environment variable for a scope, then what it was.
class environment_scope {
 public:
  environment_scope(const char* name, const std::string& value) : name_{name} {
    if (const char* was = std::getenv(name)) was_ = was;
    ::setenv(name, value.c_str(), 1);
  }
  ~environment_scope() {
    if (was_)
      ::setenv(name_, was_->c_str(), 1);
    else
      ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> was_;
};

TEST_F(LockdepEdges, DestructorAppendsThemToFile) {
  const std::string path = testing::TempDir() + "lockdep-edges-" + std::to_string(::getpid());
  const environment_scope environment{"XIP_LOCKDEP_EDGES", path};
  for (int i = 0; i < 2; ++i) {
    lockdep checked{*std::pmr::new_delete_resource()};
    thread_context context;
    context.deps = &checked;
    const current_scope as_other{context};
    place_of_order::takes_b_under_a(a, b);
  }
  std::stringstream lines;
  lines << std::ifstream{path}.rdbuf();
  std::remove(path.c_str());
  const std::string line = "test_a test_b x x xip::test::place_of_order::takes_b_under_a\n";
  EXPECT_EQ(lines.str(), line + line);
}

TEST_F(LockdepEdges, ContentionIsCountedByClass) XIP_NO_THREAD_SAFETY_ANALYSIS {
  a.lock();
  auto thread = kthread::run("waits", *std::pmr::new_delete_resource(), [this] {
    {
      const mutex_guard free{b};
    }
    {
      const mutex_guard held{a};
    }
    EXPECT_EQ(current().contended, 1u);
  });
  ASSERT_TRUE(thread.has_value());
  wait_for([this] { return a.has_waiters(); });
  a.unlock();
  thread->join();
  EXPECT_EQ(deps.contentions("test_a"), 1u);
  EXPECT_EQ(deps.contentions("test_b"), 0u);
  EXPECT_EQ(deps.contentions("no such class"), 0u);
  EXPECT_EQ(deps.contentions(), 1u);
  expect_silence();
}

TEST_F(LockdepEdges, SpinContentionIsCountedOnlyByName) XIP_NO_THREAD_SAFETY_ANALYSIS {
  spin.lock();
  std::atomic<bool> started{false};
  auto thread = kthread::run("spins", *std::pmr::new_delete_resource(), [&] {
    started.store(true);
    const spin_guard guard{spin};
  });
  ASSERT_TRUE(thread.has_value());
  wait_for([this] { return deps.contentions("test_spin") == 1; });
  spin.unlock();
  thread->join();
  EXPECT_EQ(deps.contentions(), 0u);
}

TEST_F(LockdepEdges, ReadersDoNotContend) {
  std::vector<kthread> threads;
  for (int t = 0; t < 4; ++t) {
    auto made = kthread::run("reader", *std::pmr::new_delete_resource(), [this] {
      for (int i = 0; i < 500; ++i) {
        const shared_guard guard{rw};
        const shared_guard inner{rw2};
      }
    });
    ASSERT_TRUE(made.has_value());
    threads.push_back(std::move(*made));
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(deps.contentions(), 0u);
  expect_silence();
}

TEST_F(LockdepEdges, ManyThreadsAtOnce) {
  std::vector<kthread> threads;
  for (int t = 0; t < 4; ++t) {
    auto made = kthread::run("worker", *std::pmr::new_delete_resource(), [this] {
      for (int i = 0; i < 300; ++i) {
        const shared_guard one{rw};
        const mutex_guard two{a};
        pseudo_acquire(entry_class, &a, true, static_cast<lock_subclass>(i % 50));
        const mutex_guard three{b};
        pseudo_release(entry_class, &a);
      }
    });
    ASSERT_TRUE(made.has_value());
    threads.push_back(std::move(*made));
  }
  for (auto& t : threads) t.join();
  expect_silence();
  EXPECT_EQ(deps.edges().size(), 3u + 3u * 50u);
}

TEST_F(LockdepEdges, ThreadThatEndsWithLockIsReported) {
  auto thread = kthread::run("forgetful", *std::pmr::new_delete_resource(), [this] { pseudo_acquire(handle_class, this, true); });
  ASSERT_TRUE(thread.has_value());
  thread->join();
  expect_one(lockdep_problem::held_at_return, "thread forgetful");
}

}  // namespace
}  // namespace xip::test
