// xip mkdir: directories in an image.
#include <charconv>
#include <vector>

#include <sys/stat.h>

#include "command.h"
#include "verbs.h"

namespace xip::tool {
namespace {

// With its missing parents; what is there already is no error.
result<> make_with_parents(vfs::task& task, const std::string& path, unsigned mode) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const auto made = task.mkdir(part, slash == std::string::npos ? mode : 0755);
    if (!made.has_value()) {
      if (made.error() != EEXIST) return made;
      if (!S_ISDIR(XIP_TRY(task.stat(part)).mode)) return fail(ENOTDIR);
    }
    if (slash == std::string::npos || slash + 1 == path.size()) return {};
  }
}

}  // namespace

int mkdir_verb(int argc, char** argv) {
  CLI::App app{"Make directories in an image", "mkdir"};
  bool parents = false;
  std::string mode_text = "755";
  std::vector<std::string> arguments;
  app.add_flag("-p,--parents", parents, "parents too; no error if it is there");
  app.add_option("-m,--mode", mode_text, "permission bits, octal (755)");
  app.add_option("IMAGE:/PATH", arguments, "directories to make")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  unsigned mode = 0;
  const auto [end, wrong] = std::from_chars(mode_text.data(), mode_text.data() + mode_text.size(), mode, 8);
  if (wrong != std::errc{} || *end != '\0' || mode > 07777) {
    complain("mkdir", fmt::format("mode '{}': not an octal number up to 7777", mode_text));
    return exit_usage;
  }
  const auto places = places_of_one_image("mkdir", arguments);
  if (!places) return exit_usage;
  return with_image("mkdir", places->front().image, image_access::write, [&](image_session& session) {
    int code = exit_ok;
    for (const place& p : *places) {
      const auto made = parents ? make_with_parents(session.task(), p.path, mode) : session.task().mkdir(p.path, mode);
      if (made.has_value()) continue;
      complain("mkdir", p.shown(), made.error());
      code = exit_failed;
    }
    return code;
  });
}

}  // namespace xip::tool
