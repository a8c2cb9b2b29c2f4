// xip truncate: the size of files in an image, as truncate(1).
#include <vector>

#include <fcntl.h>

#include "command.h"
#include "sizes.h"
#include "verbs.h"

namespace xip::tool {
namespace {

result<> resize(vfs::task& task, const std::string& path, const std::string& size_text, bool no_create) {
  const int fd = XIP_TRY(task.open(path, O_WRONLY | O_NONBLOCK | (no_create ? 0 : O_CREAT), 0644));
  const vfs::kstat stat = XIP_TRY(task.fstat(fd));
  const auto size = parse_new_size(size_text, stat.size);
  const auto resized = size ? task.ftruncate(fd, *size) : result<>{fail(EFBIG)};
  XIP_TRY(task.close(fd));
  return resized;
}

}  // namespace

int truncate_verb(int argc, char** argv) {
  CLI::App app{"Set the size of files in an image; a file that grows ends in a hole", "truncate"};
  bool no_create = false;
  std::string size_text;
  std::vector<std::string> arguments;
  app.add_option("-s,--size", size_text, "bytes, or 4K, 1M ...; with + - < > / % before it relative to the present size")->required();
  app.add_flag("-c,--no-create", no_create, "do not make files that are not there");
  app.add_option("IMAGE:/PATH", arguments, "files")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  if (!parse_new_size(size_text, 0)) {
    complain("truncate", fmt::format("size '{}': not a size; write a number of bytes, or one with K, M, G, T, P or E behind it", size_text));
    return exit_usage;
  }
  const auto places = places_of_one_image("truncate", arguments);
  if (!places) return exit_usage;
  return with_image("truncate", places->front().image, image_access::write, [&](image_session& session) {
    int code = exit_ok;
    for (const place& p : *places) {
      const auto resized = resize(session.task(), p.path, size_text, no_create);
      if (resized.has_value() || (no_create && resized.error() == ENOENT)) continue;
      complain("truncate", p.shown(), resized.error());
      code = exit_failed;
    }
    return code;
  });
}

}  // namespace xip::tool
