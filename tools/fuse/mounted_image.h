// An image, locked, on a device, and mounted in a kernel instance of its own for as long as the host has it mounted.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include <xip/dev/device.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "fuse/options.h"
#include "fuse/report.h"

namespace xip::fuse {

class mounted_image {
 public:
  // The error is a message that names the image. MESSAGES must outlive the image.
  [[nodiscard]] static std::expected<std::unique_ptr<mounted_image>, std::string> open(const mount_request& request, reporter& messages);
  ~mounted_image();
  mounted_image(const mounted_image&) = delete;
  mounted_image& operator=(const mounted_image&) = delete;

  [[nodiscard]] std::expected<void, vfs::mount_failure> remount(std::string_view options);
  // Whether it is the file or block device with these st_dev and st_ino.
  [[nodiscard]] bool is(std::uint64_t device, std::uint64_t number) const noexcept;
  [[nodiscard]] vfs::kernel& kernel() noexcept { return *kernel_; }
  [[nodiscard]] dev::device& device() noexcept { return *device_; }
  // Owns the descriptors; those who serve requests are forked from it and share them.
  [[nodiscard]] vfs::task& init() noexcept { return *init_; }
  // Unmounts, when every task but init is gone and every node is dropped. The error of what could not be written.
  [[nodiscard]] result<> close();

 private:
  mounted_image() = default;
  [[nodiscard]] std::expected<void, std::string> mount(const mount_request& request);

  std::string path_;
  int lock_ = -1;  // holds the image's lock
  std::unique_ptr<dev::device> device_;
  std::unique_ptr<vfs::kernel> kernel_;
  vfs::task_ptr init_;
};

}  // namespace xip::fuse
