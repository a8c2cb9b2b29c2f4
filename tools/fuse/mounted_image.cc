#include "fuse/mounted_image.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xip/dev/devices.h>
#include <xip/fs_ext4lite/ext4lite.h>

#include "common/image_lock.h"

namespace xip::fuse {
namespace {

constexpr std::uint32_t most_descriptors = 1u << 24;  // the kernel counts its open files itself

// What the library says of a device, for somebody who named an image: without the kind of the device.
[[nodiscard]] std::string about_image(std::string text, const std::string& image) {
  for (const std::string_view kind : {"block:", "plain:", "pmem:"}) {
    const std::string name = std::string{kind} + image;
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos;) text.erase(at, kind.size());
  }
  return text.find(image) == std::string::npos ? fmt::format("{}: {}", image, text) : text;
}

[[nodiscard]] bool is_regular(const std::string& image) noexcept {
  struct ::stat st{};
  return ::stat(image.c_str(), &st) == 0 && S_ISREG(st.st_mode);
}

// Through io_uring; where the host denies it, or the memory for it, plain calls serve as well.
[[nodiscard]] dev::opened open_for_requests(const mount_request& request) {
  auto opened = dev::open_block(request.image, {.read_only = request.read_only});
  constexpr int denied[] = {EPERM, EACCES, ENOSYS, ENOMEM};
  if (opened.has_value() || std::ranges::find(denied, opened.error().code.number()) == std::end(denied)) return opened;
  return dev::open_plain(request.image, request.read_only);
}

[[nodiscard]] dev::opened open_device(const mount_request& request) {
  if (request.device == device_kind::mapped) return dev::open_pmem(request.image, request.read_only);
  if (request.device == device_kind::fitting && is_regular(request.image)) {
    auto mapped = dev::open_pmem(request.image, request.read_only);
    constexpr int no_mapping[] = {ENOMEM, ENODEV, EAGAIN, EOPNOTSUPP};
    if (mapped.has_value() || std::ranges::find(no_mapping, mapped.error().code.number()) == std::end(no_mapping)) return mapped;
  }
  return open_for_requests(request);
}

}  // namespace

std::expected<std::unique_ptr<mounted_image>, std::string> mounted_image::open(const mount_request& request, reporter& messages) {
  std::unique_ptr<mounted_image> image{new mounted_image};
  auto lock = tool::lock_image(request.image, request.read_only ? tool::image_access::read : tool::image_access::write);
  if (!lock.has_value()) return std::unexpected{std::move(lock.error())};
  image->path_ = request.image;
  image->lock_ = *lock;
  auto device = open_device(request);
  if (!device.has_value()) return std::unexpected{about_image(std::move(device.error().message), request.image)};
  image->device_ = std::move(*device);
  // It was opened by its name, as the lock was before it.
  struct ::stat opened{};
  if (::stat(request.image.c_str(), &opened) != 0 || !image->is(opened.st_dev, opened.st_ino))
    return std::unexpected{fmt::format("{}: it was replaced by another file just now", request.image)};
  vfs::kernel_options options;
  options.log = [&messages, name = request.image](vfs::log_level level, std::string_view text) {
    messages.say(level, about_image(std::string{text}, name));
  };
  options.protection = {
      .protected_hardlinks = false, .protected_symlinks = false, .protected_fifos = 0, .protected_regular = 0};  // the host's count
  image->kernel_ = std::make_unique<vfs::kernel>(std::move(options));
  if (auto mounted = image->mount(request); !mounted.has_value()) return std::unexpected{std::move(mounted.error())};
  return image;
}

// Memory is there to be used: without a word on dax, every file of a mapped image is a DAX file where its blocks allow that.
std::expected<void, std::string> mounted_image::mount(const mount_request& request) {
  if (auto known = kernel_->register_filesystem(ext4lite_file_system()); !known.has_value())
    return std::unexpected{fmt::format("{}: {}", request.image, known.error().message())};
  std::expected<void, vfs::mount_failure> mounted;
  const bool try_dax = device_->has_direct_access() && !request.has_dax;
  const std::string options = request.library();
  if (try_dax) mounted = kernel_->mount("ext4", *device_, "/", options.empty() ? "dax=always" : options + ",dax=always");
  if (!try_dax || !mounted.has_value()) mounted = kernel_->mount("ext4", *device_, "/", options);
  if (!mounted.has_value()) return std::unexpected{about_image(mounted.error().message, request.image)};
  auto task = kernel_->make_task({}, "init");
  if (!task.has_value()) return std::unexpected{fmt::format("{}: {}", request.image, task.error().message())};
  init_.reset(*task);
  init_->limits.nofile = most_descriptors;
  return {};
}

bool mounted_image::is(std::uint64_t device, std::uint64_t number) const noexcept {
  struct ::stat st{};
  return ::fstat(lock_, &st) == 0 && st.st_dev == device && st.st_ino == number;
}

std::expected<void, vfs::mount_failure> mounted_image::remount(std::string_view options) {
  auto done = kernel_->remount("/", options);
  if (!done.has_value()) done.error().message = about_image(std::move(done.error().message), path_);
  return done;
}

result<> mounted_image::close() {
  if (kernel_ == nullptr) return {};
  init_.reset();
  auto unmounted = kernel_->umount("/");
  kernel_.reset();
  return unmounted;
}

mounted_image::~mounted_image() {
  static_cast<void>(close());
  device_.reset();
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace xip::fuse
