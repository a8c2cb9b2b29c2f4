// xip stat: what an inode of an image says, laid out as stat(1).
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "command.h"
#include "image_xattrs.h"
#include "verbs.h"

namespace xip::tool {
namespace {

std::string_view kind_of(const vfs::kstat& s) {
  switch (s.mode & S_IFMT) {
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symbolic link";
    case S_IFCHR:
      return "character special file";
    case S_IFBLK:
      return "block special file";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    default:
      return s.size == 0 ? "regular empty file" : "regular file";
  }
}

result<> print_stat(vfs::task& task, const place& p) {
  const vfs::kstat s = XIP_TRY(task.statx(AT_FDCWD, p.path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME));
  std::string name = p.path;
  if (S_ISLNK(s.mode)) name += " -> " + XIP_TRY(task.readlink(p.path));
  const auto time = [](const vfs::timespec64& t) { return time_string(t, "%F %T", true); };
  fmt::print("  File: {}\n", for_output(name));
  fmt::print("  Size: {:<15} Blocks: {:<10} IO Block: {:<6} {}\n", s.size, s.blocks, s.blksize, kind_of(s));
  fmt::print(" Inode: {:<15} Links: {}", s.ino, s.nlink);
  if (S_ISCHR(s.mode) || S_ISBLK(s.mode)) fmt::print("     Device type: {},{}", gnu_dev_major(s.rdev), gnu_dev_minor(s.rdev));
  fmt::print("\nAccess: ({:04o}/{})  Uid: {:>5}  Gid: {:>5}{}\n", s.mode & 07777, mode_string(s.mode), s.uid, s.gid,
             (s.attributes & STATX_ATTR_DAX) != 0 ? "  DAX" : "");
  fmt::print("Access: {}\nModify: {}\nChange: {}\n", time(s.atime), time(s.mtime), time(s.ctime));
  fmt::print(" Birth: {}\n", s.has_btime ? time(s.btime) : "-");
  for (const attribute& a : XIP_TRY(xattrs_of(task, p.path, follow::no)))
    fmt::print(" Xattr: {} ({} bytes)\n", for_output(a.name), a.value.size());
  return {};
}

}  // namespace

int stat_verb(int argc, char** argv) {
  CLI::App app{"Show what the inodes of an image say", "stat"};
  std::vector<std::string> arguments;
  app.add_option("IMAGE:/PATH", arguments, "files of any kind; a symlink is shown itself")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  const auto places = places_of_one_image("stat", arguments);
  if (!places) return exit_usage;
  return with_image("stat", places->front().image, image_access::read, [&](image_session& session) {
    int code = exit_ok;
    for (const place& p : *places) {
      if (const auto printed = print_stat(session.task(), p); !printed.has_value()) {
        complain("stat", p.shown(), printed.error());
        code = exit_failed;
      }
    }
    return code;
  });
}

}  // namespace xip::tool
