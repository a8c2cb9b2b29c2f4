// Being asked to stop while an image is mounted for writing.
#pragma once

#include <csignal>

namespace xip::tool {

// While one exists, SIGINT, SIGTERM and SIGHUP only set a flag and interrupt what waits on the host (EINTR), so that a command stops between two steps and
// unmounts; one that the command was started to ignore stays ignored. The destructor of the outermost one hands a signal that came on: it belongs
// before the session whose end it must not cut off. Main thread only.
class stop_signals {
 public:
  stop_signals() noexcept;
  ~stop_signals();
  stop_signals(const stop_signals&) = delete;
  stop_signals& operator=(const stop_signals&) = delete;
  [[nodiscard]] static bool asked() noexcept;

 private:
  static constexpr int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction previous_[3];
};

}  // namespace xip::tool
