// xip fallocate: blocks for a file in an image before there is anything in it, as fallocate(1).
#include <algorithm>
#include <vector>

#include <fcntl.h>
#include <linux/falloc.h>

#include "command.h"
#include "new_file.h"
#include "sizes.h"
#include "verbs.h"

namespace xip::tool {
namespace {

// ENOSPC if the blocks that FD lacks from OFFSET on are more than there are: they would fill the image before they fail.
result<> may_allocate(vfs::task& task, int fd, loff_t offset, loff_t length) {
  const vfs::kstatfs space = XIP_TRY(task.statfs("/"));
  std::vector<vfs::fiemap_extent> there;
  if (!task.fiemap(fd, offset, static_cast<std::uint64_t>(length), there).has_value()) return {};  // no regular file: fallocate says so
  const loff_t block = static_cast<loff_t>(space.bsize), begin = offset - offset % block, end = offset + length;
  auto missing = static_cast<std::uint64_t>((end - 1 - begin) / block + 1);
  for (const vfs::fiemap_extent& e : there) {
    const loff_t from = std::max(e.logical, begin), to = std::min(e.logical + static_cast<loff_t>(e.length), end);
    if (from < to) missing -= static_cast<std::uint64_t>((to - 1 - from) / block + 1);
  }
  return missing > space.bfree ? result<>{fail(ENOSPC)} : result<>{};
}

result<> allocate(vfs::task& task, const std::string& path, int mode, loff_t offset, loff_t length) {
  const auto there = task.stat(path);
  if (!there.has_value() && there.error() != ENOENT) return fail(there.error());
  if (offset > INT64_MAX - length) return fail(EFBIG);
  XIP_TRY(may_hold(task, offset + length, false));
  if (!there.has_value()) XIP_TRY(may_hold(task, length, true));
  const opened_file file = XIP_TRY(open_or_make(task, path, 0));
  auto allocated = may_allocate(task, file.fd, offset, length);
  if (allocated.has_value()) allocated = task.fallocate(file.fd, mode, offset, length);
  return close_or_take_back(task, path, file, allocated);
}

}  // namespace

int fallocate_verb(int argc, char** argv) {
  CLI::App app{"Allocate blocks for a file in an image; they read as zeros", "fallocate"};
  bool keep_size = false;
  std::string length_text, offset_text = "0", argument;
  app.add_option("-l,--length", length_text, "bytes, or 4K, 1M ...")->required();
  app.add_option("-o,--offset", offset_text, "where to begin (0)");
  app.add_flag("-n,--keep-size", keep_size, "leave the file's size as it is");
  app.add_option("IMAGE:/PATH", argument, "a file; made if it is not there")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  const auto length = parse_size(length_text), offset = parse_size(offset_text);
  if (!length || !offset) {
    complain("fallocate", fmt::format("'{}': not a size, or too large; write a number of bytes, or one with K, M, G, T, P or E behind it",
                                      length ? offset_text : length_text));
    return exit_usage;
  }
  if (*length == 0) {
    complain("fallocate", "length 0: there is nothing to allocate");
    return exit_usage;
  }
  const auto p = image_place("fallocate", argument);
  if (!p) return exit_usage;
  return with_image("fallocate", p->image, image_access::write, [&](image_session& session) {
    const auto allocated = allocate(session.task(), p->path, keep_size ? FALLOC_FL_KEEP_SIZE : 0, *offset, *length);
    if (allocated.has_value()) return exit_ok;
    complain("fallocate", p->shown(), allocated.error());
    return exit_failed;
  });
}

}  // namespace xip::tool
