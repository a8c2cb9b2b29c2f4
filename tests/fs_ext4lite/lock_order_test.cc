// Planted inversions: after one task has made ordinary calls, the same task takes two locks the wrong way round, and lockdep says so at once.
// Nobody deadlocks, and nobody else need run.
#include <fcntl.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/base/config.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/vfs/lock_classes.h>
#include <xip/xip/entry.h>

#include "fs_ext4lite/image.h"

#if XIP_LOCKDEP

namespace xip::ext4lite::test {
namespace {

using testing::HasSubstr;

// One file system, one task, and what lockdep said.
class LockOrder : public testing::Test {
 protected:
  void SetUp() override {
    vfs::kernel_options with;
    with.lockdep_report = [this](const lockdep_report& r) { reports.push_back(r); };
    kernel = std::make_unique<vfs::kernel>(with);
    ASSERT_TRUE(kernel->register_filesystem(ext4lite_file_system()));
    ASSERT_TRUE(kernel->mount("ext4", *device, "/", "dax=always"));
    t = kernel->make_task().value();
    work();
    ASSERT_TRUE(reports.empty()) << reports[0].text;
  }
  void TearDown() override {
    if (t != nullptr) kernel->exit_task(t);
    EXPECT_TRUE(kernel->umount("/"));
  }

  // Calls that take every lock of the file system in its place.
  void work() {
    ASSERT_TRUE(t->mkdir("/a", 0755));
    ASSERT_TRUE(t->mkdir("/b", 0755));
    const int fd = t->open("/a/f", O_RDWR | O_CREAT, 0644).value();
    const std::string bytes = pattern(10'000);
    ASSERT_TRUE(t->pwrite(fd, bytes.data(), bytes.size(), 0));
    ASSERT_TRUE(t->fsync(fd));
    ASSERT_TRUE(t->ftruncate(fd, 100));
    ASSERT_TRUE(t->pwrite(fd, bytes.data(), bytes.size(), 5'000));
    ASSERT_TRUE(t->rename("/a/f", "/b/f"));
    ASSERT_TRUE(t->unlink("/b/f"));
    ASSERT_TRUE(t->close(fd));
    ASSERT_TRUE(kernel->sync());
    ASSERT_TRUE(kernel->remount("/", "ro"));
    ASSERT_TRUE(kernel->remount("/", "rw"));
  }

  // Takes INNER, then OUTER, which comes before it in every call.
  template <class Inner, class Outer>
  void expect_inversion(Inner&& inner, Outer&& outer, std::string_view inner_name, std::string_view outer_name) {
    reports.clear();
    {
      const current_scope scope{t->context};
      const auto first = inner();
      const auto second = outer();
    }
    ASSERT_EQ(reports.size(), 1u) << outer_name << " within " << inner_name;
    EXPECT_EQ(reports[0].problem, lockdep_problem::inversion);
    EXPECT_THAT(reports[0].text, HasSubstr(std::string{inner_name}));
    EXPECT_THAT(reports[0].text, HasSubstr(std::string{outer_name}));
  }

  image disk = make_image("-b 4096", "8M");
  std::unique_ptr<dev::device> device = load(disk);
  std::unique_ptr<vfs::kernel> kernel;
  vfs::task* t = nullptr;
  std::vector<lockdep_report> reports;

  // Locks of the classes that count; which file's they are is nothing to lockdep.
  rw_semaphore<vfs::i_rwsem_class> i_rwsem, another_i_rwsem;
  rw_semaphore<vfs::invalidate_lock_class> invalidate_lock;
  rw_semaphore<vfs::s_umount_class> s_umount;
  jbd2::handle_lock jbd2_handle;
  rw_semaphore<i_data_sem_class> i_data_sem;
  mutex<vfs::s_vfs_rename_mutex_class> rename_mutex;
  mutex<s_orphan_lock_class> orphan_lock;
};

struct entry_lock {
  explicit entry_lock(const void* of) noexcept : of_{of} { pseudo_acquire(dax_entry_class, of_, true); }
  ~entry_lock() { pseudo_release(dax_entry_class, of_); }
  entry_lock(const entry_lock&) = delete;
  const void* of_;
};

// A guard of LOCK, to be taken when it is called.
#define TAKE(GUARD, ...) [&]() XIP_NO_THREAD_SAFETY_ANALYSIS { return GUARD{__VA_ARGS__}; }

TEST_F(LockOrder, IRwsemWithinInvalidateLock) {
  expect_inversion(TAKE(exclusive_guard, invalidate_lock), TAKE(exclusive_guard, i_rwsem), "invalidate_lock", "i_rwsem");
}
TEST_F(LockOrder, IRwsemWithinAHandle) {
  expect_inversion(TAKE(shared_guard, jbd2_handle), TAKE(shared_guard, i_rwsem), "jbd2_handle", "i_rwsem");
}
TEST_F(LockOrder, InvalidateLockWithinAHandle) {
  expect_inversion(TAKE(shared_guard, jbd2_handle), TAKE(exclusive_guard, invalidate_lock), "jbd2_handle", "invalidate_lock");
}
TEST_F(LockOrder, AHandleWithinIDataSem) {
  expect_inversion(TAKE(shared_guard, i_data_sem), TAKE(shared_guard, jbd2_handle), "i_data_sem", "jbd2_handle");
}
TEST_F(LockOrder, ACommitWithinIDataSem) {
  expect_inversion(TAKE(shared_guard, i_data_sem), TAKE(exclusive_guard, jbd2_handle), "i_data_sem", "jbd2_handle");
}
TEST_F(LockOrder, AHandleWithinAnEntry) {
  expect_inversion(TAKE(entry_lock, this), TAKE(shared_guard, jbd2_handle), "dax_entry", "jbd2_handle");
}
TEST_F(LockOrder, AnEntryWithinIDataSem) {
  expect_inversion(TAKE(exclusive_guard, i_data_sem), TAKE(entry_lock, this), "i_data_sem", "dax_entry");
}
TEST_F(LockOrder, IRwsemWithinIDataSem) {
  expect_inversion(TAKE(exclusive_guard, i_data_sem), TAKE(exclusive_guard, i_rwsem), "i_data_sem", "i_rwsem");
}
TEST_F(LockOrder, AHandleWithinTheOrphanLock) {
  expect_inversion(TAKE(mutex_guard, orphan_lock), TAKE(shared_guard, jbd2_handle), "s_orphan_lock", "jbd2_handle");
}
TEST_F(LockOrder, AParentWithinItsChild) {
  expect_inversion(TAKE(exclusive_guard, i_rwsem, subclass_child), TAKE(exclusive_guard, another_i_rwsem, subclass_parent), "i_rwsem/2",
                   "i_rwsem/1");
}
TEST_F(LockOrder, TheRenameMutexWithinADirectory) {
  expect_inversion(TAKE(exclusive_guard, i_rwsem, subclass_parent), TAKE(mutex_guard, rename_mutex), "i_rwsem", "s_vfs_rename_mutex");
}
TEST_F(LockOrder, SUmountWithinAHandle) {
  expect_inversion(TAKE(shared_guard, jbd2_handle), TAKE(shared_guard, s_umount), "jbd2_handle", "s_umount");
}

TEST_F(LockOrder, ASleepingLockUnderASpinningOne) {
  spin_lock<group_lock_class> group;
  {
    const current_scope scope{t->context};
    const spin_guard spinning{group};
    const shared_guard sleeping{i_data_sem};
  }
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].problem, lockdep_problem::blocked_spinning);
}

TEST_F(LockOrder, ACommitWithAHandleOpen) {
  {
    const current_scope scope{t->context};
    const shared_guard open{jbd2_handle};
    jbd2::handle_lock of_another;
    const exclusive_guard commit{of_another};
  }
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].problem, lockdep_problem::recursion);
}

}  // namespace
}  // namespace xip::ext4lite::test

#endif
