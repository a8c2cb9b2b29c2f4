#include "posix/mounted_world.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace xip::posix {

using ext4lite::test::run_command;

fuse_mount::fuse_mount(const ext4lite::test::image& i) : image_{i.path()}, place_{image_ + ".fuse"} {
  std::filesystem::create_directory(place_);
  if (::geteuid() != 0 || ::access("/dev/fuse", R_OK | W_OK) != 0) return;
  mounted_ = run_command({XIP_FUSE_PROGRAM, image_, place_.string(), "-o", "allow_other,suid,dev"}).status == 0;
}

fuse_mount::~fuse_mount() {
  static_cast<void>(unmount());
  std::filesystem::remove(place_);
}

bool fuse_mount::unmount() {
  if (!mounted_) return true;
  mounted_ = false;
  // Something of the host that looks into every mount may be in this one for a moment.
  bool unmounted = false;
  for (int n = 0; n < 500 && !unmounted; ++n) unmounted = run_command({"umount", place_.string()}).status == 0;
  if (!unmounted) return false;
  const int fd = ::open(image_.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_free = fd >= 0 && ::flock(fd, LOCK_EX) == 0;
  ::close(fd);
  return is_free;
}

}  // namespace xip::posix
