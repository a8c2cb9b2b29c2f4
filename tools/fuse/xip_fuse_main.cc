// xip-fuse: the mount as a program of its own, and under the name mount.fuse.xip the helper that mount(8) starts for the type fuse.xip.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <new>

#include <fcntl.h>
#include <unistd.h>

#include "fuse/mount_command.h"

int main(int argc, char** argv) {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})  // started with one closed, the image would become it
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  const char* const slash = argc > 0 ? std::strrchr(argv[0], '/') : nullptr;
  const char* const name = slash != nullptr ? slash + 1 : argc > 0 ? argv[0] : "xip-fuse";
  const bool helper = std::strncmp(name, "mount.", 6) == 0;
  try {
    // The codes of mount(8).
    return xip::fuse::run_mount(argc, argv,
                                {.name = helper ? name : "xip-fuse", .failed = 32, .usage = 1, .environment = 32, .helper = helper});
  } catch (const std::bad_alloc&) {
    std::fputs("xip-fuse: out of memory\n", stderr);
    return 32;
  }
}
