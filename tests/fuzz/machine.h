// A device with the image of one input, a kernel instance that mounts it, and what must hold of both whatever the image is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <xip/dev/devices.h>
#include <xip/explore/block_sanitizer.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "fuzz/container.h"

namespace xip::fuzz {

// Something holds that must not: said on standard error, and the process aborts, as fuzzers want it.
[[noreturn]] void finding(std::string_view what, std::string_view detail = {});

// Whether anything was written to the device below.
class write_watch final : public dev::recorder {
 public:
  [[nodiscard]] bool written() const noexcept { return written_; }

  void on_store(std::uint64_t, std::span<const std::byte>, bool) noexcept override { written_ = true; }
  void on_flush(std::uint64_t, std::size_t) noexcept override {}
  void on_fence() noexcept override {}
  void on_write(std::uint64_t, std::span<const std::byte>) noexcept override { written_ = true; }
  void on_flush_cache() noexcept override {}

 private:
  bool written_ = false;
};

class machine {
 public:
  // The image is on the device. No more than that where the host has no memory for it.
  explicit machine(const test_case& c);
  ~machine();
  machine(const machine&) = delete;
  machine& operator=(const machine&) = delete;

  // Mounts it on "/" and makes a task of root. False: it was refused, with a message and without a byte written.
  bool mount(std::string_view options);
  // Whatever the answer is: once it was asked to be writable, it may have written.
  void remount(std::string_view options);
  // Ends the task and unmounts. A mount that could only read has written nothing.
  void umount();

  [[nodiscard]] bool sound() const noexcept { return sound_; }
  [[nodiscard]] bool mounted() const noexcept { return task_ != nullptr; }
  [[nodiscard]] vfs::kernel& kernel() noexcept { return *kernel_; }
  [[nodiscard]] vfs::task& task() noexcept { return *task_; }
  // Why the last mount was refused, and what was logged since.
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  [[nodiscard]] const std::string& log() const noexcept { return log_; }
  [[nodiscard]] bool written() const noexcept { return watch_.written(); }

 private:
  void hear(vfs::log_level level, std::string_view text);

  const bool sound_;
  bool may_write_ = false;
  std::string failure_;
  std::string log_;
  write_watch watch_;
  std::unique_ptr<dev::device> memory_;
  std::unique_ptr<dev::device> device_;
  std::unique_ptr<explore::block_sanitizer> sanitizer_;
  std::unique_ptr<vfs::kernel> kernel_;
  vfs::task* task_ = nullptr;
};

}  // namespace xip::fuzz
