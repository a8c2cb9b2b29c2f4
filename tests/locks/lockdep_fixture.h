// A checked thread whose reports are collected.
#pragma once

#include <memory_resource>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <xip/locks/lockdep.h>
#include <xip/locks/mutex.h>
#include <xip/locks/pseudo_lock.h>
#include <xip/locks/rw_semaphore.h>
#include <xip/locks/spin_lock.h>
#include <xip/locks/thread_context.h>
#include <xip/locks/wait_queue.h>

namespace xip::test {

inline constexpr lock_class a_class{"test_a"};
inline constexpr lock_class b_class{"test_b"};
inline constexpr lock_class c_class{"test_c"};
inline constexpr lock_class d_class{"test_d"};
inline constexpr lock_class rw_class{"test_rw"};
inline constexpr lock_class rw2_class{"test_rw2"};
inline constexpr lock_class spin_class{"test_spin", lock_kind::spinning};
inline constexpr lock_class spin2_class{"test_spin2", lock_kind::spinning};
inline constexpr lock_class handle_class{"test_handle", lock_kind::pseudo};
inline constexpr lock_class entry_class{"test_entry", lock_kind::pseudo, true};

class lockdep_fixture : public testing::Test {
 protected:
  lockdep_fixture() {
    me.name = "tester";
    me.deps = &deps;
  }
  void SetUp() override {
    if (!lockdep_compiled_in) GTEST_SKIP() << "lockdep is not compiled in";
  }

  [[nodiscard]] std::vector<lockdep_problem> problems() const {
    std::vector<lockdep_problem> all;
    for (const auto& r : reports) all.push_back(r.problem);
    return all;
  }
  void expect_one(lockdep_problem problem, const std::string& text = {}) const {
    ASSERT_EQ(problems(), std::vector{problem}) << (reports.empty() ? "" : reports.back().text);
    EXPECT_NE(reports[0].text.find(text), std::string::npos) << reports[0].text;
  }
  void expect_silence() const { EXPECT_TRUE(reports.empty()) << reports[0].text; }

  std::vector<lockdep_report> reports;
  lockdep deps{*std::pmr::new_delete_resource(), [this](const lockdep_report& r) { reports.push_back(r); }};
  thread_context me;
  current_scope scope{me};

  mutex<a_class> a, a2;
  mutex<b_class> b;
  mutex<c_class> c;
  mutex<d_class> d;
  rw_semaphore<rw_class> rw, other_rw;
  rw_semaphore<rw2_class> rw2;
  spin_lock<spin_class> spin;
  spin_lock<spin2_class> spin2;
};

}  // namespace xip::test
