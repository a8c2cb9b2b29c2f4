// xip rm: removes names from an image.
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include "command.h"
#include "tree.h"
#include "verbs.h"

namespace xip::tool {
namespace {

struct removal {
  vfs::task& task;
  tree& files;
  bool recursive;
  bool force;

  bool failed(const std::string& path, error why) const {
    complain("rm", files.shown(path), why);
    return false;
  }
};

bool remove_entry(const removal& r, const std::string& path);

bool remove_directory(const removal& r, const std::string& path) {
  const auto names = r.files.list(path);
  if (!names.has_value()) return r.failed(path, names.error());
  bool all = true;
  for (const std::string& name : *names) {
    if (stop_signals::asked()) return false;
    all = remove_entry(r, joined(path, name)) && all;
  }
  if (!all) return false;
  const auto removed = r.task.rmdir(path);
  return removed.has_value() || r.failed(path, removed.error());
}

bool remove_entry(const removal& r, const std::string& path) {
  const auto stat = r.task.lstat(path);
  if (!stat.has_value()) {
    if (r.force && stat.error() == ENOENT) return true;
    return r.failed(path, stat.error());
  }
  if (S_ISDIR(stat->mode)) {
    if (r.recursive) return remove_directory(r, path);
    complain("rm", fmt::format("{}: is a directory; remove it with -r", r.files.shown(path)));
    return false;
  }
  const auto removed = r.task.unlink(path);
  return removed.has_value() || r.failed(path, removed.error());
}

}  // namespace

int rm_verb(int argc, char** argv) {
  CLI::App app{"Remove files from an image", "rm"};
  bool recursive = false, force = false;
  std::vector<std::string> arguments;
  app.add_flag("-r,-R,--recursive", recursive, "directories with all that is in them");
  app.add_flag("-f,--force", force, "a name that is not there is no error");
  app.add_option("IMAGE:/PATH", arguments, "what to remove")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  const auto places = places_of_one_image("rm", arguments);
  if (!places) return exit_usage;
  for (const place& p : *places) {
    if (base_name(p.path).empty()) {
      complain("rm", fmt::format("{}: the root, '.' and '..' are not removed", p.shown()));
      return exit_usage;
    }
  }
  return with_image("rm", places->front().image, image_access::write, [&](image_session& session) {
    const auto files = make_image_tree(session, places->front().image);
    const removal r{session.task(), *files, recursive, force};
    bool all = true;
    for (const place& p : *places) {
      if (stop_signals::asked()) break;
      all = remove_entry(r, p.path) && all;
    }
    if (stop_signals::asked()) complain("rm", "stopped by a signal; what was removed is gone");
    return all ? exit_ok : exit_failed;
  });
}

}  // namespace xip::tool
