// What a scenario's body is given: a mounted file system, tasks, expectations, chance, counters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <xip/base/points.h>
#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/dev/device.h>
#include <xip/scenario/expectations.h>
#include <xip/scenario/pattern.h>
#include <xip/scenario/random.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

namespace xip::scenario {

class fixture;  // the runner's part
struct scenario;

// Relative paths are those of the scenario's own directory ("/" on a fresh image); the working directory of every task it makes is there.
// Expectations may be used from any thread of the scenario; everything else belongs to the body's own thread.
class run : public expectations {
 public:
  explicit run(fixture& parts) noexcept : parts_{parts} {}
  run(const run&) = delete;
  run& operator=(const run&) = delete;

  // --- Tasks -------------------------------------------------------------------------------------------------------------------

  // System calls of the main task: t->open(...). It is root, and it is another task after cycle() and mount().
  [[nodiscard]] vfs::task* operator->() const noexcept { return &task(); }
  [[nodiscard]] vfs::task& task() const noexcept;
  [[nodiscard]] vfs::task_ptr new_task(const vfs::cred& who = {}, const char* name = "task");
  // Runs BODY(task, index) COUNT times at once, each on a thread with a task of its own, and waits for all. The first failure is the scenario's.
  void parallel(unsigned count, const std::function<void(vfs::task&, unsigned)>& body, const vfs::cred& who = {});
  // One thread for each of BODIES.
  using thread_body = std::function<void(vfs::task&)>;
  void parallel(const std::vector<thread_body>& bodies);
  // True once a thread of parallel() has failed: the others may give up.
  [[nodiscard]] bool stopping() const noexcept;

  // --- The file system ---------------------------------------------------------------------------------------------------------

  [[nodiscard]] vfs::kernel& kernel() const noexcept;
  [[nodiscard]] dev::device& device() const noexcept;
  [[nodiscard]] bool has_dax() const noexcept;              // direct access and 4 KiB blocks
  [[nodiscard]] bool has_pointers() const noexcept;         // what tasks map are pointers, not a model's addresses
  [[nodiscard]] std::uint32_t block_size() const noexcept;  // bytes
  [[nodiscard]] std::uint32_t inode_size() const noexcept;  // bytes of an inode on disk
  // Where the scenario works, absolute: "" on a fresh image, so that directory() + "/file" is a path.
  [[nodiscard]] const std::string& directory() const noexcept;
  // Unmount; every descriptor of the main task is closed first. No other task may be left.
  void umount(location here = location::current());
  // Mount again, with these options in place of the scenario's own.
  void mount(std::string_view options, location here = location::current());
  void mount(location here = location::current());
  [[nodiscard]] std::expected<void, vfs::mount_failure> try_mount(std::string_view options);
  void cycle(location here = location::current());  // umount and mount
  void remount(std::string_view options, location here = location::current());
  // e2fsck -fn of the unmounted image must exit 0.
  void fsck(location here = location::current());
  // Output of `debugfs -R COMMAND` on the image; of one that is mounted, on a replayed copy. The scenario must need the tool.
  [[nodiscard]] std::string debugfs(const std::string& command, location here = location::current());
  // A checksum of all bytes of the device.
  [[nodiscard]] std::uint32_t device_checksum(location here = location::current());
  // Another device of SIZE bytes with a fresh file system, of the same kind as this run's. Lives as long as the run.
  [[nodiscard]] dev::device& second_device(std::uint64_t size, std::string_view mkfs = {}, location here = location::current());
  [[nodiscard]] std::string_view file_system() const noexcept;  // the type, for kernel().mount

  // --- Log and points ----------------------------------------------------------------------------------------------------------

  void allow_errors() noexcept;  // errors in the log no longer fail the scenario
  [[nodiscard]] bool logged(std::string_view text) const;
  // How often the product has passed POINT so far.
  [[nodiscard]] std::uint64_t hits(point p) const noexcept;
  // The next TIMES passes of fail point P, after SKIP, fail with NUMBER. One rule at a time.
  void inject(point p, int number, std::uint32_t skip = 0, std::uint32_t times = 1) noexcept;

  // --- Chance ------------------------------------------------------------------------------------------------------------------

  [[nodiscard]] std::uint64_t seed() const noexcept;
  // A stream of the run's seed; each WHICH has its own.
  [[nodiscard]] random_source random(std::uint64_t which = 0) const noexcept;

  // --- Files, in short ---------------------------------------------------------------------------------------------------------

  // Opens PATH read-write, made if it is not there.
  [[nodiscard]] int create(std::string_view path, location here = location::current()) const;
  // As those of expectations, by the main task.
  using expectations::expect_data;
  using expectations::expect_zeros;
  using expectations::put;
  void put(int fd, loff_t offset, std::size_t bytes, stamp who, location here = location::current()) const {
    put(task(), fd, offset, bytes, who, here);
  }
  void expect_data(int fd, loff_t offset, std::size_t bytes, stamp who, location here = location::current()) const {
    expect_data(task(), fd, offset, bytes, who, here);
  }
  void expect_zeros(int fd, loff_t offset, std::size_t bytes, location here = location::current()) const {
    expect_zeros(task(), fd, offset, bytes, here);
  }
  [[nodiscard]] loff_t size_of(int fd, location here = location::current()) const;
  // Names of a directory, sorted, without "." and "..".
  [[nodiscard]] std::vector<std::string> names_in(std::string_view path, location here = location::current()) const;
  // Writes until the file system is full; the bytes that went in. The file is open as FD and grows from OFFSET on.
  [[nodiscard]] std::uint64_t fill_up(int fd, loff_t offset, stamp who, location here = location::current()) const;

 private:
  fixture& parts_;
};

}  // namespace xip::scenario
