#include "fuse/command_line.h"

#include <cstdio>
#include <vector>

#include <fmt/format.h>
#include <getopt.h>

namespace xip::fuse {
namespace {

[[nodiscard]] std::expected<void, std::string> take_option(int option, const char* argument, const mount_program& program,
                                                           command_line& line) {
  switch (option) {
    case 'o':
      return add_options(argument, line.request);
    case 'f':
      (program.helper ? line.dry_run : line.request.foreground) = true;
      break;
    case 'd':
      return add_options("debug", line.request);
    case 'r':
      return add_options("ro", line.request);
    case 'w':
      return add_options("rw", line.request);
    case 'h':
      line.help = true;
      break;
    case 'V':
      line.version = true;
      break;
    case 's':
      line.request.sloppy = true;
      break;
    default:  // -n, -v, -t and -N of mount(8) ask for nothing here
      break;
  }
  return {};
}

}  // namespace

std::expected<command_line, std::string> parse_command_line(int argc, char** argv, const mount_program& program) {
  constexpr ::option words[] = {{"help", no_argument, nullptr, 'h'},
                                {"options", required_argument, nullptr, 'o'},
                                {"foreground", no_argument, nullptr, 'f'},
                                {"debug", no_argument, nullptr, 'd'},
                                {"read-only", no_argument, nullptr, 'r'},
                                {"version", no_argument, nullptr, 'V'},
                                {nullptr, 0, nullptr, 0}};
  command_line line;
  std::vector<std::pair<int, std::string>> options;
  ::optind = 0;
  ::opterr = 0;
  for (int option; (option = ::getopt_long(argc, argv, ":o:fdrwhVsnvt:N:", words, nullptr)) >= 0;) {
    const std::string_view at = argv[::optind - 1];
    if (option == ':') return std::unexpected{fmt::format("{} needs a value", at)};
    if (option == '?') return std::unexpected{fmt::format("there is no option {}", at)};
    if (option == 's') line.request.sloppy = true;  // whatever comes before it
    options.emplace_back(option, ::optarg != nullptr ? ::optarg : "");
  }
  // As mount(8) has it; a user's mount comes with nosuid and nodev among its options.
  if (program.helper) line.request.kernel = "suid,dev";
  for (const auto& [option, argument] : options)
    if (auto taken = take_option(option, argument.c_str(), program, line); !taken.has_value())
      return std::unexpected{std::move(taken.error())};
  if (line.help || line.version) return line;
  if (argc - ::optind != 2)
    return std::unexpected{std::string{argc - ::optind < 2 ? "an IMAGE and a DIRECTORY are needed" : "too many arguments"}};
  line.request.image = argv[::optind];
  line.request.directory = argv[::optind + 1];
  if (auto checked = check_options(line.request); !checked.has_value()) return std::unexpected{std::move(checked.error())};
  return line;
}

void print_mount_help(const mount_program& program) {
  fmt::print(
      "Usage: {} IMAGE DIRECTORY [-o OPTION,...] [-f] [-d]\n\n"
      "Mounts an ext4 image on a directory, through FUSE.\n\n"
      "  -f, --foreground   stay there, and write messages to standard error\n"
      "  -d, --debug        -f, and print every request\n"
      "  -r, --read-only    the same as -o ro\n"
      "  -o OPTION,...      those of mount(8), and\n"
      "       allow_other        others than the one who mounts may use it\n"
      "       dax=always|never|inode, errors=continue|remount-ro|panic, zero=convert|alloc, noload\n"
      "       device=pmem|block  map the image, or read and write it by requests\n"
      "       direct_io          read and write past the kernel's page cache\n"
      "       threads=N          how many requests are served at once\n"
      "       commit=SECONDS     write back at least so often\n\n"
      "Unmount it with umount(8), or as a user with fusermount3 -u.\n",
      program.name);
}

}  // namespace xip::fuse
