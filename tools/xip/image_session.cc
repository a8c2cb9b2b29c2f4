#include "image_session.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xip/fs_ext4lite/ext4lite.h>

#include "command.h"

namespace xip::tool {
namespace {

// Requests through io_uring; where the system denies it, or the memory for it, plain calls serve as well. What is wrong with the image itself,
// they say of it, too.
dev::opened open_requests(const std::string& image, image_access access) {
  const bool read_only = access == image_access::read;
  auto opened = dev::open_block(image, {.read_only = read_only});
  constexpr int denied[] = {EPERM, EACCES, ENOSYS, ENOMEM};
  if (opened.has_value() || std::ranges::find(denied, opened.error().code.number()) == std::end(denied)) return opened;
  return dev::open_plain(image, read_only);
}

// What the library says of a device, for somebody who named an image: without the kind of the device.
std::string about_image(std::string text, const std::string& image) {
  for (const std::string_view kind : {"block:", "plain:", "pmem:"}) {
    const std::string name = std::string{kind} + image;
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos;) text.erase(at, kind.size());
  }
  return text;
}

}  // namespace

std::expected<std::unique_ptr<image_session>, std::string> image_session::open(std::string_view verb, const std::string& image,
                                                                               image_access access, image_device device) {
  std::unique_ptr<image_session> session{new image_session};
  session->image_ = image;
  auto lock = lock_image(image, access);
  if (!lock.has_value()) return std::unexpected{std::move(lock.error())};
  session->lock_ = *lock;
  if (::fstat(*lock, &session->on_host_) != 0) return std::unexpected{fmt::format("{}: {}", image, std::strerror(errno))};
  const bool in_memory = device == image_device::memory;
  auto opened = in_memory ? dev::open_pmem(image, access == image_access::read) : open_requests(image, access);
  if (!opened.has_value()) return std::unexpected{about_image(std::move(opened.error().message), image)};
  session->device_ = std::move(*opened);
  const std::string options = access == image_access::read ? "ro,noatime" : "rw,noatime";
  if (auto mounted = session->mount(verb, in_memory ? options + ",dax=always" : options); !mounted.has_value())
    return std::unexpected{std::move(mounted.error())};
  return session;
}

std::expected<void, std::string> image_session::mount(std::string_view verb, const std::string& mount_options) {
  vfs::kernel_options options;
  options.log = [verb = std::string{verb}, image = image_](vfs::log_level level, std::string_view text) {
    if (level <= vfs::log_level::warning) complain(verb, about_image(std::string{text}, image));
  };
  kernel_ = std::make_unique<vfs::kernel>(std::move(options));
  if (auto known = kernel_->register_filesystem(ext4lite_file_system()); !known.has_value())
    return std::unexpected{fmt::format("{}: {}", image_, known.error().message())};
  auto mounted = kernel_->mount("ext4", *device_, "/", mount_options);
  if (!mounted.has_value()) {
    const std::string why = about_image(mounted.error().message, image_);
    return std::unexpected{why.find(image_) == std::string::npos ? fmt::format("{}: {}", image_, why) : why};
  }
  auto task = kernel_->make_task({}, "xip");
  if (!task.has_value()) return std::unexpected{fmt::format("{}: {}", image_, task.error().message())};
  task_.reset(*task);
  task_->umask(0);
  return {};
}

std::expected<void, std::string> image_session::close() {
  if (kernel_ == nullptr) return {};
  task_.reset();
  const auto unmounted = kernel_->umount("/");
  kernel_.reset();
  if (!unmounted.has_value())
    return std::unexpected{fmt::format("{}: not everything could be written: {}", image_, unmounted.error().message())};
  return {};
}

image_session::~image_session() {
  static_cast<void>(close());
  device_.reset();
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace xip::tool
