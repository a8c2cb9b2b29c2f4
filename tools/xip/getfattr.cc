// xip getfattr: extended attributes of files in an image, laid out as getfattr -d.
#include <vector>

#include "command.h"
#include "image_xattrs.h"
#include "verbs.h"
#include "xattr_text.h"

namespace xip::tool {
namespace {

struct wanted_attributes {
  std::string name;  // empty: all
  bool only_values = false;
};

result<> print_attributes(vfs::task& task, const place& p, const wanted_attributes& wanted) {
  const auto all = wanted.name.empty()
                       ? XIP_TRY(xattrs_of(task, p.path, follow::no))
                       : std::vector{attribute{wanted.name, XIP_TRY(xattr_value_of(task, p.path, wanted.name, follow::no))}};
  if (wanted.only_values) {
    for (const attribute& a : all) std::fwrite(a.value.data(), 1, a.value.size(), stdout);
    return {};
  }
  if (all.empty()) return {};
  fmt::print("# file: {}\n", for_output(p.path));
  for (const attribute& a : all) fmt::print("{}={}\n", for_output(a.name), xattr_text(a.name, a.value));
  fmt::print("\n");
  return {};
}

}  // namespace

int getfattr_verb(int argc, char** argv) {
  CLI::App app{
      "Show extended attributes of files in an image: name=\"text\" or name=0x..., access control lists as user::rw-,user:1000:r--,...",
      "getfattr"};
  wanted_attributes wanted;
  std::vector<std::string> arguments;
  app.add_option("-n,--name", wanted.name, "only this one, prefix and all: user.colour");
  app.add_flag("--only-values", wanted.only_values, "the bytes of the values and nothing else");
  app.add_option("IMAGE:/PATH", arguments, "files of any kind; of a symlink its own are shown")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  const auto places = places_of_one_image("getfattr", arguments);
  if (!places) return exit_usage;
  return with_image("getfattr", places->front().image, image_access::read, [&](image_session& session) {
    int code = exit_ok;
    for (const place& p : *places) {
      const auto printed = print_attributes(session.task(), p, wanted);
      if (printed.has_value()) continue;
      complain("getfattr", wanted.name.empty() ? p.shown() : fmt::format("{}: {}", p.shown(), wanted.name), printed.error());
      code = exit_failed;
    }
    return code;
  });
}

}  // namespace xip::tool
