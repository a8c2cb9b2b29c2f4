#include "common/run_program.h"

#include <cerrno>
#include <new>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace xip::tool {

int run_program(std::vector<std::string> words) noexcept {
  std::vector<char*> argv;
  try {
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
  } catch (const std::bad_alloc&) {
    return -1;
  }
  pid_t child = 0;
  if (::posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ) != 0) return -1;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace xip::tool
