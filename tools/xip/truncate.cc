// xip truncate: the size of files in an image, as truncate(1).
#include <vector>

#include <fcntl.h>

#include "command.h"
#include "new_file.h"
#include "sizes.h"
#include "verbs.h"

namespace xip::tool {
namespace {

// The new size of a file that has SIZE bytes now.
result<loff_t> new_size(const std::string& text, loff_t size) {
  const auto bytes = parse_new_size(text, size);
  if (!bytes) return fail(EFBIG);
  return *bytes;
}

result<> resize(vfs::task& task, const std::string& path, const std::string& size_text, bool no_create) {
  const auto there = task.stat(path);
  if (!there.has_value() && (there.error() != ENOENT || no_create)) return fail(there.error());
  const loff_t size = XIP_TRY(new_size(size_text, there.has_value() ? there->size : 0));
  if (!there.has_value()) XIP_TRY(may_hold(task, size, false));
  const opened_file file = XIP_TRY(open_or_make(task, path, O_NONBLOCK));
  return close_or_take_back(task, path, file, task.ftruncate(file.fd, size));
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
    complain(
        "truncate",
        fmt::format("size '{}': not a size, or too large; write a number of bytes, or one with K, M, G, T, P or E behind it", size_text));
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
