// A kernel instance under an explorer, as a program outside of this tree makes it.
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/base/config.h>
#include <xip/explore/explore.h>
#include <xip/explore/snapshot_device.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/locks/mutex.h>
#include <xip/scenario/explored_kernel.h>

#include "scenario/race_image.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

int unmounts = 0;

result<vfs::super_block*> counted_mount(vfs::fs_context& fc) { return ext4lite_file_system().mount(fc); }
result<> counted_kill(vfs::super_block* sb) {
  ++unmounts;
  return ext4lite_file_system().kill_sb(sb);
}
constexpr vfs::file_system_type counted{.name = "counted", .mount = counted_mount, .kill_sb = counted_kill};

constexpr lock_class one_class{"test_one"}, other_class{"test_other"};

struct two_locks {
  mutex<one_class> one;
  mutex<other_class> other;
};

class ExploredKernel : public testing::Test {
 protected:
  void SetUp() override {
    const tools use{find_tool("mke2fs"), find_tool("e2fsck")};
    if (use.mke2fs.empty()) GTEST_SKIP() << "mke2fs is not installed";
    auto made = make_race_image(use);
    ASSERT_TRUE(made.has_value()) << made.error();
    image_ = std::move(*made);
    device_.emplace(image_.size());
    unmounts = 0;
  }

  // Two tasks; BODY(task) is what each does.
  explore::report run(const std::function<void(vfs::task&)>& body, std::function<void()> check = {}) {
    explore::program p{.name = "mine", .state = {&machine_, &*device_, &locks_}};
    p.setup = [&](explore::scheduler& s) {
      vfs::kernel& kernel = machine_.boot(s);
      p.deps = &kernel.deps();
      ASSERT_TRUE(device_->write(0, image_));
      ASSERT_TRUE(kernel.register_filesystem(counted));
      ASSERT_TRUE(kernel.mount("counted", *device_, "/", "dax=always"));
      for (vfs::task*& t : tasks_) t = &machine_.task("task");
    };
    for (std::size_t i = 0; i < 2; ++i) p.tasks.push_back({"t" + std::to_string(i), [this, &body, i] { body(*tasks_[i]); }});
    p.check = std::move(check);
    return explore::explore(p, {.strategies = {{.bound = 1}}});
  }

  std::vector<std::byte> image_;
  std::optional<explore::snapshot_device> device_;
  explored_kernel machine_;
  explore::fresh<two_locks> locks_;
  vfs::task* tasks_[2] = {};
};

// One of them makes the file, the other one finds it: in each schedule anew.
TEST_F(ExploredKernel, GoesBackBeforeEachSchedule) {
  std::size_t made = 0, found = 0;
  const explore::report r = run(
      [&](vfs::task& me) {
        const auto fd = me.open("/file", O_RDWR | O_CREAT | O_EXCL, 0644);
        ++(fd ? made : found);
        if (!fd && fd.error() != EEXIST) throw explore::failure{"neither made nor found"};
      },
      [&] {
        if (made != found) throw explore::failure{"made " + std::to_string(made) + ", found " + std::to_string(found)};
      });
  EXPECT_TRUE(r.passed()) << r.failures[0].first.text;
  EXPECT_TRUE(r.complete);
  EXPECT_GT(r.schedules, 10u);
  EXPECT_GT(machine_.bytes(), sizeof(vfs::kernel));
}

TEST_F(ExploredKernel, EndsWithTheExplorer) {
  EXPECT_TRUE(run([](vfs::task& me) { (void)me.open("/file", O_RDWR | O_CREAT, 0644); }).passed());
  EXPECT_EQ(unmounts, 1);
}

TEST_F(ExploredKernel, ErrorInTheLogIsAFailure) {
  const explore::report r = run([](vfs::task& me) { me.owner.printk(vfs::log_level::error, "planted"); });
  ASSERT_EQ(r.failures.size(), 1u);
  EXPECT_EQ(r.failures[0].first.failed, explore::failure_kind::reported);
  EXPECT_EQ(r.failures[0].first.text, "error log: planted");
  EXPECT_TRUE(run([](vfs::task& me) { me.owner.printk(vfs::log_level::warning, "planted"); }).passed());
}

#if XIP_LOCKDEP
TEST_F(ExploredKernel, ReportOfLockdepIsAFailure) {
  const explore::report r = run([&](vfs::task&) {
    {
      const mutex_guard outer{locks_->one};
      const mutex_guard inner{locks_->other};
    }
    const mutex_guard outer{locks_->other};
    const mutex_guard inner{locks_->one};
  });
  ASSERT_EQ(r.failures.size(), 1u);
  EXPECT_EQ(r.failures[0].first.failed, explore::failure_kind::reported);
  EXPECT_THAT(r.failures[0].first.text, testing::StartsWith("lockdep: "));
}
#endif

}  // namespace
}  // namespace xip::scenario
