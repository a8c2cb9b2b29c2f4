// Signals that end a run, as a descriptor.
#pragma once

#include <csignal>

#include <sys/signalfd.h>

#include "scenario/descriptor.h"

namespace xip::scenario {

// While it lives they wait in the descriptor; what nobody took ends the process when it dies. It must therefore outlive every file that
// is to be removed.
class end_signals {
 public:
  end_signals() {
    sigemptyset(&set_);
    for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) sigaddset(&set_, s);
    sigprocmask(SIG_BLOCK, &set_, &before_);
    fd_ = descriptor{::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK)};
  }
  end_signals(const end_signals&) = delete;
  end_signals& operator=(const end_signals&) = delete;
  ~end_signals() { restore(); }
  void restore() const { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // The number of one that has come; 0: none has.
  [[nodiscard]] int take() const {
    signalfd_siginfo info{};
    return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
  descriptor fd_;
};

}  // namespace xip::scenario
