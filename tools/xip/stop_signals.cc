#include "stop_signals.h"

#include <cstdio>
#include <iterator>

namespace xip::tool {
namespace {

// The signal that came, or 0. A handler has no other way to speak to its program.
volatile std::sig_atomic_t came = 0;

extern "C" void remember(int number) { came = number; }

}  // namespace

stop_signals::stop_signals() noexcept {
  struct sigaction ours{};
  ours.sa_handler = remember;  // without SA_RESTART
  sigemptyset(&ours.sa_mask);
  for (std::size_t i = 0; i < std::size(numbers); ++i) {
    ::sigaction(numbers[i], nullptr, &previous_[i]);
    if (previous_[i].sa_handler != SIG_IGN) ::sigaction(numbers[i], &ours, nullptr);
  }
}

stop_signals::~stop_signals() {
  for (std::size_t i = 0; i < std::size(numbers); ++i) {
    ::sigaction(numbers[i], &previous_[i], nullptr);
    if (came != numbers[i] || previous_[i].sa_handler == remember) continue;
    std::fflush(stdout);
    ::raise(numbers[i]);
  }
}

bool stop_signals::asked() noexcept { return came != 0; }

}  // namespace xip::tool
