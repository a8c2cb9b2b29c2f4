// One image, mounted in process for the length of one command.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include <sys/stat.h>

#include <xip/dev/devices.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "common/image_lock.h"

namespace xip::tool {

// How a verb reaches the bytes of an image.
enum class image_device {
  requests,  // block by block
  memory,    // mapped, so that files can be as well: a mount with dax=always
};

class image_session {
 public:
  // Mounts IMAGE on "/" of a kernel instance of its own. Reading never changes a byte of it; writing locks it against other users (flock). The error is
  // a whole message that names the image. VERB stands before what the file system logs.
  [[nodiscard]] static std::expected<std::unique_ptr<image_session>, std::string> open(std::string_view verb, const std::string& image,
                                                                                       image_access access,
                                                                                       image_device device = image_device::requests);
  ~image_session();
  image_session(const image_session&) = delete;
  image_session& operator=(const image_session&) = delete;

  // Uid 0 in the image: as root as one is on a disk of one's own.
  [[nodiscard]] vfs::task& task() noexcept { return *task_; }
  [[nodiscard]] dev::device& device() noexcept { return *device_; }
  // Which file or block device of the host the image is.
  [[nodiscard]] const struct ::stat& on_host() const noexcept { return on_host_; }
  // Unmounts. The error of what could not be written, as a message.
  [[nodiscard]] std::expected<void, std::string> close();

 private:
  image_session() = default;
  [[nodiscard]] std::expected<void, std::string> mount(std::string_view verb, const std::string& options);

  std::string image_;
  int lock_ = -1;  // holds the flock
  struct ::stat on_host_{};
  std::unique_ptr<dev::device> device_;
  std::unique_ptr<vfs::kernel> kernel_;
  vfs::task_ptr task_;
};

}  // namespace xip::tool
