// The fixture of the VFS's tests: one kernel instance, a ramfs on "/", and a task of root's.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/locks/kthread.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "vfs/ramfs.h"

namespace xip::vfs::test {

// 0, or the errno.
template <class T>
[[nodiscard]] int errno_of(const result<T>& r) noexcept {
  return r ? 0 : r.error().number();
}
template <class T>
[[nodiscard]] int errno_of(const std::expected<T, mount_failure>& r) noexcept {
  return r ? 0 : r.error().code.number();
}

#define EXPECT_OK(...) EXPECT_EQ(::xip::vfs::test::errno_of(__VA_ARGS__), 0)
#define ASSERT_OK(...) ASSERT_EQ(::xip::vfs::test::errno_of(__VA_ARGS__), 0)
#define EXPECT_ERRNO(NUMBER, ...) EXPECT_EQ(::xip::vfs::test::errno_of(__VA_ARGS__), NUMBER)

// Counts what passes through it; every byte must come back.
class counting_resource final : public std::pmr::memory_resource {
 public:
  ~counting_resource() override { EXPECT_EQ(live.load(), 0) << "a kernel instance leaks"; }
  std::atomic<std::uint64_t> allocations{0};
  std::atomic<std::int64_t> live{0};
  std::atomic<std::int64_t> fail_after{-1};  // this many more succeed; negative: all

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;  // NOLINT: named by the standard
  void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override;
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

class vfs_test : public testing::Test {
 protected:
  vfs_test() : vfs_test{kernel_options{}} {}
  explicit vfs_test(kernel_options options);
  ~vfs_test() override;

  [[nodiscard]] task_ptr make_task(std::uint32_t uid = 0, std::uint32_t gid = 0, std::vector<std::uint32_t> groups = {});
  // A file with these contents.
  void write_file(const std::string& name, std::string_view contents, unsigned mode = 0644);
  [[nodiscard]] std::string read_file(const std::string& name);
  [[nodiscard]] int open_ok(task& t, const std::string& name, int flags, unsigned mode = 0644);
  [[nodiscard]] std::vector<std::string> names_in(const std::string& directory);
  // Runs BODIES at once, each in a thread of its own, and waits for them.
  void run_at_once(std::vector<std::function<void()>> bodies);

  counting_resource memory;
  ram_device disk;
  ram_device second{"second"};  // for a second mount: both outlive the instance
  std::unique_ptr<kernel> k;
  task_ptr root;
  task& t;
};

}  // namespace xip::vfs::test
