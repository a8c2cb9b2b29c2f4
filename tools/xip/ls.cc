// xip ls: names in an image.
#include <algorithm>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "command.h"
#include "image_xattrs.h"
#include "sizes.h"
#include "tree.h"
#include "verbs.h"

namespace xip::tool {
namespace {

struct listing {
  vfs::task& task;
  tree& files;
  bool detailed = false;
  bool recursive = false;
  bool all = false;
  bool human = false;       // sizes as people read them
  bool themselves = false;  // directories are listed, not what is in them
  bool headings = false;    // a line with its name before each directory
  bool first = true;
  bool good = true;

  void failed(const std::string& path, error why) {
    std::fflush(stdout);
    complain("ls", files.shown(path), why);
    good = false;
  }
};

struct named_stat {
  std::string name;
  std::string path;
  vfs::kstat stat;
  bool has_acl = false;
};

// MARKS: some file of the list has an access control list, and a + behind its mode.
std::string detail_of(listing& l, const named_stat& e, bool marks) {
  const vfs::kstat& s = e.stat;
  const bool device = S_ISCHR(s.mode) || S_ISBLK(s.mode);
  const std::string size = device    ? fmt::format("{}, {}", gnu_dev_major(s.rdev), gnu_dev_minor(s.rdev))
                           : l.human ? human_size(static_cast<std::uint64_t>(s.size))
                                     : fmt::format("{}", s.size);
  const std::string_view mark = e.has_acl ? "+" : marks ? " " : "";
  std::string line = fmt::format("{}{} {:>3} {:>5} {:>5} {:>12} {} {}", mode_string(s.mode), mark, s.nlink, s.uid, s.gid, size,
                                 time_string(s.mtime, "%F %H:%M", false), for_output(e.name));
  if (S_ISLNK(s.mode)) {
    const auto target = l.task.readlink(e.path);
    if (target.has_value()) line += " -> " + for_output(*target);
  }
  return line;
}

void print_entries(listing& l, std::vector<named_stat>& entries) {
  if (l.detailed)
    for (named_stat& e : entries) e.has_acl = has_acl(l.task, e.path);
  const bool marks = std::ranges::any_of(entries, &named_stat::has_acl);
  for (const named_stat& e : entries) fmt::print("{}\n", l.detailed ? detail_of(l, e, marks) : for_output(e.name));
}

void list_directory(listing& l, const std::string& path) {
  const auto names = l.files.list(path);
  if (!names.has_value()) return l.failed(path, names.error());
  std::vector<named_stat> entries;
  for (const std::string& name : *names) {
    if (!l.all && name.starts_with('.')) continue;
    const std::string entry = joined(path, name);
    // Only what needs an inode reads it.
    if (!l.detailed && !l.recursive) {
      entries.push_back({name, entry, {}, false});
      continue;
    }
    auto stat = l.task.lstat(entry);
    if (!stat.has_value()) {
      l.failed(entry, stat.error());
      continue;
    }
    entries.push_back({name, entry, *stat, false});
  }
  if (l.headings) fmt::print("{}{}:\n", l.first ? "" : "\n", for_output(path));
  l.first = false;
  if (l.detailed) {
    std::uint64_t blocks = 0;
    for (const auto& e : entries) blocks += e.stat.blocks;
    fmt::print("total {}\n", blocks / 2);
  }
  print_entries(l, entries);
  if (!l.recursive) return;
  for (const auto& e : entries)
    if (S_ISDIR(e.stat.mode)) list_directory(l, e.path);
}

int list_places(listing& l, const std::vector<place>& places) {
  std::vector<named_stat> files;
  std::vector<std::string> directories;
  for (const place& p : places) {
    // As ls: a symlink that is named is followed unless its own details are wanted.
    auto stat = l.detailed && !p.path.ends_with('/') ? l.task.lstat(p.path) : l.task.stat(p.path);
    if (!stat.has_value() && stat.error() == ENOENT && !l.detailed) stat = l.task.lstat(p.path);
    if (!stat.has_value()) {
      l.failed(p.path, stat.error());
    } else if (S_ISDIR(stat->mode) && !l.themselves) {
      directories.push_back(p.path);
    } else {
      files.push_back({p.path, p.path, *stat, false});
    }
  }
  print_entries(l, files);
  l.first = files.empty();
  l.headings = l.recursive || places.size() > 1;
  for (const std::string& d : directories) list_directory(l, d);
  return l.good ? exit_ok : exit_failed;
}

}  // namespace

int ls_verb(int argc, char** argv) {
  CLI::App app{"List directories of an image, a name a line, sorted", "ls"};
  bool detailed = false, recursive = false, all = false, human = false, themselves = false;
  std::vector<std::string> arguments;
  app.set_help_flag("--help", "this text");
  app.add_flag("-l", detailed, "mode (+: with an access control list), links, owner, group (as numbers), size, time of change");
  app.add_flag("-R,--recursive", recursive, "the directories below, too");
  app.add_flag("-a,--all", all, "names that begin with a dot, too");
  app.add_flag("-h", human, "with -l: sizes as people read them");
  app.add_flag("-d,--directory", themselves, "directories themselves, not what is in them");
  app.add_option("IMAGE:/PATH", arguments, "what to list")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  const auto places = places_of_one_image("ls", arguments);
  if (!places) return exit_usage;
  return with_image("ls", places->front().image, image_access::read, [&](image_session& session) {
    const auto files = make_image_tree(session, places->front().image);
    listing l{session.task(), *files, detailed, recursive && !themselves, all, human, themselves};
    return list_places(l, *places);
  });
}

}  // namespace xip::tool
