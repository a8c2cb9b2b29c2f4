// Standard output without a buffer that would hide errors.
#include "scenario/console.h"

#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

#include "scenario/descriptor.h"

namespace xip::scenario {

void console::put(std::string_view text) {
  if (failed_ != 0) return;
  if (std::fflush(stdout) != 0 || !write_all(STDOUT_FILENO, text)) failed_ = errno;
}

int console::finish(const char* program, int code) const {
  if (failed_ == 0) return code;
  if (failed_ != EPIPE) std::fprintf(stderr, "%s: standard output: %s\n", program, error{failed_}.message().data());
  return code != 0 ? code : 1;
}

bool standard_descriptors_are_open() noexcept {
  const auto closed = [](int fd) { return ::fcntl(fd, F_GETFD) < 0; };
  const bool output = !closed(STDOUT_FILENO);
  // The lowest free number is taken each time: all below 3 are filled when it is above.
  while (closed(STDIN_FILENO) || closed(STDERR_FILENO) || closed(STDOUT_FILENO))
    if (::open("/dev/null", O_RDWR) < 0) break;
  return output;
}

}  // namespace xip::scenario
