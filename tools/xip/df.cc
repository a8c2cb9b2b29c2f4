// xip df: how full an image is.
#include <vector>

#include "command.h"
#include "sizes.h"
#include "verbs.h"

namespace xip::tool {
namespace {

std::string percent(std::uint64_t used, std::uint64_t usable) {
  return usable == 0 ? "-" : fmt::format("{}%", (used * 100 + usable - 1) / usable);  // rounded up, as df
}

void print_blocks(const std::string& image, const vfs::kstatfs& s, bool human) {
  const auto amount = [&](std::uint64_t blocks) {
    return human ? human_size(blocks * s.bsize) : fmt::format("{}", blocks * s.bsize / 1024);
  };
  const std::uint64_t used = s.blocks - s.bfree;
  fmt::print("{:<24} {:>12} {:>12} {:>12} {:>5}\n", "Image", human ? "Size" : "1K-blocks", "Used", "Available", "Use%");
  fmt::print("{:<24} {:>12} {:>12} {:>12} {:>5}\n", image, amount(s.blocks), amount(used), amount(s.bavail),
             percent(used, used + s.bavail));
}

void print_inodes(const std::string& image, const vfs::kstatfs& s) {
  const std::uint64_t used = s.files - s.ffree;
  fmt::print("{:<24} {:>12} {:>12} {:>12} {:>5}\n", "Image", "Inodes", "IUsed", "IFree", "IUse%");
  fmt::print("{:<24} {:>12} {:>12} {:>12} {:>5}\n", image, s.files, used, s.ffree, percent(used, s.files));
}

}  // namespace

int df_verb(int argc, char** argv) {
  CLI::App app{"Show how full an image is", "df"};
  bool human = false, inodes = false;
  std::string argument;
  app.set_help_flag("--help", "this text");
  app.add_flag("-h", human, "sizes as people read them");
  app.add_flag("-i,--inodes", inodes, "inodes in place of blocks");
  app.add_option("IMAGE", argument, "an image")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  const place p = parse_place(argument);
  const std::string image = p.in_image() ? p.image : argument;
  return with_image("df", image, image_access::read, [&](image_session& session) {
    const auto s = session.task().statfs("/");
    if (!s.has_value()) {
      complain("df", image, s.error());
      return exit_failed;
    }
    inodes ? print_inodes(image, *s) : print_blocks(image, *s, human);
    return exit_ok;
  });
}

}  // namespace xip::tool
