// Where a mount's messages go: standard error while somebody waits for it, the system log once it is in the background. Each names the image.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include <xip/vfs/kernel.h>

namespace xip::fuse {

class reporter {
 public:
  // PROGRAM: as messages begin, "xip mount". FUSE's own messages come through the reporter made last.
  reporter(std::string program, std::string image);
  ~reporter();
  reporter(const reporter&) = delete;
  reporter& operator=(const reporter&) = delete;

  // From several threads at once.
  void say(vfs::log_level level, std::string_view text) noexcept;
  void fail(std::string_view text) noexcept { say(vfs::log_level::error, text); }
  void to_system_log() noexcept;

 private:
  const std::string program_;
  const std::string image_;
  std::atomic<bool> in_background_{false};
};

}  // namespace xip::fuse
