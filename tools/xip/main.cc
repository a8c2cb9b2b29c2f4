// xip: one command, a verb for each job, in the manner of git.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <xip/base/config.h>

#include "verbs.h"

namespace xip::tool {
namespace {

constexpr int usage_exit = 2;

constexpr verb verbs[] = {
    {"check", "run scenarios on ext4 images and ask e2fsck after each", check_verb},
    {"ls", "list directories of an image", ls_verb},
    {"cat", "write files of an image to standard output", cat_verb},
    {"cp", "copy files between the host and images, as cp -a", cp_verb},
    {"stat", "show what inodes of an image say", stat_verb},
    {"map", "show where the contents of files lie", map_verb},
    {"df", "show how full an image is", df_verb},
    {"mkdir", "make directories in an image", mkdir_verb},
    {"rm", "remove files from an image", rm_verb},
    {"truncate", "set the size of files in an image", truncate_verb},
    {"fallocate", "allocate blocks for a file in an image", fallocate_verb},
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

}  // namespace
}  // namespace xip::tool

int main(int argc, char** argv) { return xip::tool::run(argc, argv); }
