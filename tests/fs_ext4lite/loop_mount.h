// An image that Linux has mounted, as long as the object lives.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <unistd.h>

#include <gtest/gtest.h>

#include "fs_ext4lite/image.h"

namespace xip::ext4lite::test {

class loop_mount {
 public:
  explicit loop_mount(const image& i) : place_{i.path() + ".mnt"} {
    std::filesystem::create_directory(place_);
    mounted_ = run_command({"mount", "-o", "loop", i.path(), place_.string()}).status == 0;
  }
  ~loop_mount() {
    // Something of the host that looks into every mount may be in this one for a moment.
    bool unmounted = !mounted_;
    for (int n = 0; n < 500 && !unmounted; ++n) unmounted = run_command({"umount", place_.string()}).status == 0;
    EXPECT_TRUE(unmounted) << place_;
    std::filesystem::remove(place_);
  }
  loop_mount(const loop_mount&) = delete;
  loop_mount& operator=(const loop_mount&) = delete;
  // False: not root, or no loop devices here.
  [[nodiscard]] bool ok() const noexcept { return mounted_; }
  [[nodiscard]] std::filesystem::path path(std::string_view name) const { return place_ / name; }

 private:
  std::filesystem::path place_;
  bool mounted_ = false;
};

// A test with an image that Linux and libxip have by turns, made with the mke2fs options that are its parameter. Skipped where Linux cannot mount it.
class with_linux : public testing::TestWithParam<const char*> {
 protected:
  explicit with_linux(const char* size) : disk{make_image(GetParam(), size)} {}
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for a loop mount";
    const loop_mount there{disk};
    if (!there.ok()) GTEST_SKIP() << "this machine has no loop mounts";
  }
  void check() const {
    std::string said;
    EXPECT_TRUE(e2fsck_clean(disk.path(), &said)) << said;
  }
  image disk;
};

}  // namespace xip::ext4lite::test
