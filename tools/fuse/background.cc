#include "fuse/background.h"

#include <cerrno>
#include <cstddef>
#include <cstdio>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace xip::fuse {
namespace {

// The other end is closed without a word when the process ends early: then its exit code counts.
[[nodiscard]] int wait_for(int said, pid_t child, reporter& messages, int impossible) noexcept {
  std::byte word{};
  ssize_t bytes;
  do bytes = ::read(said, &word, 1);
  while (bytes < 0 && errno == EINTR);
  if (bytes == 1) return 0;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return impossible;
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) return WEXITSTATUS(status);
  char text[64];
  std::snprintf(text, sizeof text, "the server was ended by signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  messages.fail(WIFSIGNALED(status) ? text : "the server ended before it had begun");
  return impossible;
}

}  // namespace

std::optional<int> background::begin(reporter& messages, int impossible) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return impossible;
  const pid_t child = ::fork();
  if (child < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    return impossible;
  }
  if (child != 0) {
    ::close(ends[1]);
    return wait_for(ends[0], child, messages, impossible);
  }
  // What the caller had open it may want to see closed: pipes and locks would live as long as the mount. Nothing of ours is open yet but this end.
  constexpr int first = STDERR_FILENO + 1;
  tell_ = ends[1];
  if (ends[1] == first || ::dup3(ends[1], first, O_CLOEXEC) == first) {
    tell_ = first;
    static_cast<void>(::close_range(first + 1, ~0u, 0));
  }
  ::setsid();
  return std::nullopt;
}

void background::ready() noexcept {
  if (tell_ < 0) return;
  static_cast<void>(::chdir("/"));
  if (const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC); nowhere >= 0) {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, stream);
    if (nowhere > STDERR_FILENO) ::close(nowhere);
  }
  const std::byte word{1};
  static_cast<void>(::write(tell_, &word, 1));
  ::close(tell_);
  tell_ = -1;
}

}  // namespace xip::fuse
