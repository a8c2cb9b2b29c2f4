// xip setfattr: sets or removes an extended attribute of files in an image.
#include <vector>

#include "command.h"
#include "verbs.h"
#include "xattr_text.h"

namespace xip::tool {
namespace {

struct attribute_change {
  std::string name;
  std::optional<std::string> value;  // none: it goes

  [[nodiscard]] result<> make(vfs::task& task, const std::string& path) const {
    return value ? task.lsetxattr(path, name, value->data(), value->size(), 0) : task.lremovexattr(path, name);
  }
};

}  // namespace

int setfattr_verb(int argc, char** argv) {
  CLI::App app{"Set or remove an extended attribute of files in an image", "setfattr"};
  attribute_change change;
  std::string removed, text;
  std::vector<std::string> arguments;
  auto* name = app.add_option("-n,--name", change.name, "the attribute to set, prefix and all: user.colour");
  app.add_option("-v,--value", text, "its value: text, 0x..., or for system.posix_acl_access and _default user::rw-,user:1000:r--,...")
      ->needs(name);
  app.add_option("-x,--remove", removed, "the attribute to remove")->excludes(name);
  app.add_option("IMAGE:/PATH", arguments, "files of any kind; of a symlink its own are changed")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  if (change.name.empty() == removed.empty()) {
    complain("setfattr", "name the attribute with -n NAME -v VALUE, or with -x NAME; see xip setfattr --help");
    return exit_usage;
  }
  if (removed.empty()) {
    change.value = xattr_value(change.name, text);
    if (!change.value) {
      complain("setfattr", fmt::format("'{}': no value of {}; see xip setfattr --help", text, change.name));
      return exit_usage;
    }
  } else {
    change.name = removed;
  }
  const auto places = places_of_one_image("setfattr", arguments);
  if (!places) return exit_usage;
  return with_image("setfattr", places->front().image, image_access::write, [&](image_session& session) {
    int code = exit_ok;
    for (const place& p : *places) {
      const auto made = change.make(session.task(), p.path);
      if (made.has_value()) continue;
      complain("setfattr", fmt::format("{}: {}", p.shown(), change.name), made.error());
      code = exit_failed;
    }
    return code;
  });
}

}  // namespace xip::tool
