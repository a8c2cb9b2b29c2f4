#include "new_file.h"

#include <cstdint>

#include <fcntl.h>
#include <sys/stat.h>

namespace xip::tool {
namespace {

// What symlink LINK says, seen from where LINK is.
std::string seen_from(const std::string& link, std::string leads) {
  const std::size_t slash = link.rfind('/');
  if (leads.starts_with('/') || slash == std::string::npos) return leads;
  return leads.insert(0, link, 0, slash + 1);
}

// Removes the file that PATH leads to. It is there, hence the symlinks come to an end.
result<> remove_behind(vfs::task& task, std::string path) {
  for (;;) {
    const vfs::kstat there = XIP_TRY(task.lstat(path));
    if (!S_ISLNK(there.mode)) return task.unlink(path);
    path = seen_from(path, XIP_TRY(task.readlink(path)));
  }
}

}  // namespace

result<> may_hold(vfs::task& task, loff_t size, bool blocks_too) {
  const vfs::kstatfs space = XIP_TRY(task.statfs("/"));
  if (size > space.maxbytes) return fail(EFBIG);
  if (!blocks_too) return {};
  if (!space.preallocates) return fail(EOPNOTSUPP);
  if (static_cast<std::uint64_t>(size) / space.bsize > space.bfree) return fail(ENOSPC);
  return {};
}

result<opened_file> open_or_make(vfs::task& task, const std::string& path, int flags) {
  const auto there = task.open(path, O_WRONLY | flags);
  if (there.has_value()) return opened_file{*there, false};
  if (there.error() != ENOENT) return fail(there.error());
  return opened_file{XIP_TRY(task.open(path, O_WRONLY | O_CREAT | flags, 0644)), true};
}

result<> close_or_take_back(vfs::task& task, const std::string& path, const opened_file& file, result<> work) {
  const auto closed = task.close(file.fd);
  if (work.has_value()) return closed;
  if (file.made) XIP_TRY(remove_behind(task, path));
  return work;
}

}  // namespace xip::tool
