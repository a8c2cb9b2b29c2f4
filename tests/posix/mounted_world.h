// An image that libxip serves through FUSE, as long as the object lives: the host's calls reach it there.
#pragma once

#include <filesystem>
#include <string>

#include "fs_ext4lite/image.h"

namespace xip::posix {

class fuse_mount {
 public:
  explicit fuse_mount(const ext4lite::test::image& i);
  ~fuse_mount();
  fuse_mount(const fuse_mount&) = delete;
  fuse_mount& operator=(const fuse_mount&) = delete;

  // False: not root, or no FUSE here.
  [[nodiscard]] bool ok() const noexcept { return mounted_; }
  [[nodiscard]] std::string path() const { return place_.string(); }
  // And waits until the server has finished with the image.
  [[nodiscard]] bool unmount();

 private:
  const std::string image_;
  const std::filesystem::path place_;
  bool mounted_ = false;
};

}  // namespace xip::posix
