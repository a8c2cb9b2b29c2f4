// Starting a process of the background that says how its start went.
#pragma once

#include <optional>

#include "fuse/report.h"

namespace xip::fuse {

class background {
 public:
  // Splits the process. The one that was started waits until the other one is ready or has ended, and gets the exit code: 0, or that of the other. In
  // the one that goes on: nothing. Before any thread is made. IMPOSSIBLE: the code if there can be no second process, or a signal ended it, which MESSAGES
  // are told.
  [[nodiscard]] std::optional<int> begin(reporter& messages, int impossible);
  // In the one that goes on: lets go of the terminal and the directory, and tells whoever waits.
  void ready() noexcept;

 private:
  int tell_ = -1;
};

}  // namespace xip::fuse
