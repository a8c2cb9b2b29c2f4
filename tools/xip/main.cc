// xip: one command, a verb for each job, in the manner of git.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include <xip/base/config.h>

#include "verbs.h"

namespace xip::tool {
namespace {

constexpr int usage_exit = 2;

constexpr verb verbs[] = {
    {"check", "run scenarios on ext4 images and ask e2fsck after each", check_verb},
    {"explore", "run races in many schedules, each of them reproducible", explore_verb},
    {"crash", "lose the power in workloads, and see what is left", crash_verb},
    {"exhibits", "list known bugs that can be switched on, and show that each is found", exhibits_verb},
    {"ls", "list directories of an image", ls_verb},
    {"cat", "write files of an image to standard output", cat_verb},
    {"cp", "copy files between the host and images, as cp -a", cp_verb},
    {"stat", "show what inodes of an image say", stat_verb},
    {"getfattr", "show extended attributes and access control lists", getfattr_verb},
    {"setfattr", "set or remove one of them", setfattr_verb},
    {"map", "show where the contents of files lie", map_verb},
    {"df", "show how full an image is", df_verb},
    {"mkdir", "make directories in an image", mkdir_verb},
    {"rm", "remove files from an image", rm_verb},
    {"truncate", "set the size of files in an image", truncate_verb},
    {"fallocate", "allocate blocks for a file in an image", fallocate_verb},
    {"mount", "mount an image on a directory, through FUSE", mount_verb},
    {"bench", "time libxip, each figure beside a baseline of the same run", bench_verb},
};

void print_help(std::FILE* to) {
  std::fputs("Usage: xip VERB [ARGUMENT...]\n       xip --help | --version\n\n", to);
  for (const verb& v : verbs) std::fprintf(to, "  %-10s %s\n", v.name, v.help);
  std::fputs("\n'xip VERB --help' says more. Exit code: 0 all well, 1 it failed, 2 wrong usage, 3 something is missing here.\n", to);
}

int run(int argc, char** argv) {
  if (argc < 2) {
    print_help(stderr);
    return usage_exit;
  }
  const std::string_view word = argv[1];
  if (word == "--help" || word == "-h" || word == "help") {
    print_help(stdout);
    return 0;
  }
  if (word == "--version") {
    std::printf("xip %s\n", XIP_VERSION);
    return 0;
  }
  const auto* found = std::ranges::find_if(verbs, [&](const verb& v) { return word == v.name; });
  if (found == std::end(verbs)) {
    std::fprintf(stderr, "xip: there is no verb '%s'\nTry 'xip --help'.\n", argv[1]);
    return usage_exit;
  }
  return found->run(argc - 1, argv + 1);
}

// Started with one of them closed, the first file opened would become it. Each is then a stream that fails.
void open_standard_streams() noexcept {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

// What was printed must have arrived: a list cut short by a full disk is no success.
int run_and_flush(int argc, char** argv) {
  int code = 0;
  int number = 0;
  try {
    code = run(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) number = errno != 0 ? errno : EIO;
  } catch (const std::system_error& failed) {
    number = failed.code().value();
  } catch (const std::bad_alloc&) {
    std::fputs("xip: out of memory\n", stderr);
    return 1;
  }
  if (number == 0) return code;
  std::fprintf(stderr, "xip: standard output: %s\n", std::strerror(number));
  return code != 0 ? code : 1;
}

}  // namespace
}  // namespace xip::tool

int main(int argc, char** argv) {
  xip::tool::open_standard_streams();
  return xip::tool::run_and_flush(argc, argv);
}
