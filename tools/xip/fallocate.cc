// xip fallocate: blocks for a file in an image before there is anything in it, holes and zeros in the middle, ranges that go or come, as fallocate(1).
#include <algorithm>
#include <optional>
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

// A range of a file that is there.
result<> change(vfs::task& task, const std::string& path, int mode, loff_t offset, loff_t length) {
  if (offset > INT64_MAX - length) return fail(EFBIG);
  const int fd = XIP_TRY(task.open(path, O_RDWR));
  const auto changed = task.fallocate(fd, mode, offset, length);
  const auto closed = task.close(fd);
  return changed.has_value() ? closed : changed;
}

// What the command line asks for.
struct asked_range {
  bool keep_size = false, punch = false, zero = false, collapse = false, insert = false;

  [[nodiscard]] int mode() const noexcept {
    if (punch) return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (collapse) return FALLOC_FL_COLLAPSE_RANGE;
    if (insert) return FALLOC_FL_INSERT_RANGE;
    return (zero ? FALLOC_FL_ZERO_RANGE : 0) | (keep_size ? FALLOC_FL_KEEP_SIZE : 0);
  }
  // Only what allocates makes a file.
  [[nodiscard]] bool makes_file() const noexcept { return !punch && !collapse && !insert; }
};

// Why the image says EINVAL, if that can be said.
std::optional<std::string> refusal(vfs::task& task, const std::string& path, const asked_range& asked, loff_t offset, loff_t length) {
  if (!asked.collapse && !asked.insert) return std::nullopt;
  const auto found = task.stat(path);
  if (!found.has_value()) return std::nullopt;
  if (offset % found->blksize != 0 || length % found->blksize != 0)
    return fmt::format("offset and length have to be multiples of {}, the block size", found->blksize);
  if (asked.collapse) return fmt::format("the range has to end before the file does, at {}; truncate cuts a file", found->size);
  if (offset < found->size) return std::nullopt;  // what is preallocated behind the end would go too far
  return fmt::format("the offset has to lie before the end of the file, at {}; truncate makes a file longer", found->size);
}

int fallocate_at(const place& p, const asked_range& asked, loff_t offset, loff_t length) {
  return with_image("fallocate", p.image, image_access::write, [&](image_session& session) {
    const auto done = (asked.makes_file() ? allocate : change)(session.task(), p.path, asked.mode(), offset, length);
    if (done.has_value()) return exit_ok;
    const auto why = done.error() == EINVAL ? refusal(session.task(), p.path, asked, offset, length) : std::nullopt;
    why ? complain("fallocate", fmt::format("{}: {}", p.shown(), *why)) : complain("fallocate", p.shown(), done.error());
    return exit_failed;
  });
}

}  // namespace

int fallocate_verb(int argc, char** argv) {
  CLI::App app{"Allocate blocks for a file in an image, which read as zeros; or change a range of one that is there", "fallocate"};
  asked_range asked;
  std::string length_text, offset_text = "0", argument;
  app.add_option("-l,--length", length_text, "bytes, or 4K, 1M ...")->required();
  app.add_option("-o,--offset", offset_text, "where to begin (0)");
  auto* keep_size = app.add_flag("-n,--keep-size", asked.keep_size, "leave the file's size as it is");
  auto* punch = app.add_flag("-p,--punch-hole", asked.punch, "give the blocks of the range back; it reads as zeros");
  auto* zero = app.add_flag("-z,--zero-range", asked.zero, "the range reads as zeros and keeps, or gets, its blocks")->excludes(punch);
  auto* collapse = app.add_flag("-c,--collapse-range", asked.collapse, "take the range out; what is behind it moves up")
                       ->excludes(punch)
                       ->excludes(zero)
                       ->excludes(keep_size);
  app.add_flag("-i,--insert-range", asked.insert, "put a hole in; what is there moves behind it")
      ->excludes(punch)
      ->excludes(zero)
      ->excludes(collapse)
      ->excludes(keep_size);
  app.add_option("IMAGE:/PATH", argument, "a file; made if it is not there and blocks are to be allocated")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  const auto length = parse_size(length_text), offset = parse_size(offset_text);
  if (!length || !offset) {
    complain("fallocate", fmt::format("'{}': not a size, or too large; write a number of bytes, or one with K, M, G, T, P or E behind it",
                                      length ? offset_text : length_text));
    return exit_usage;
  }
  if (*length == 0) {
    complain("fallocate", "length 0: there is nothing to do");
    return exit_usage;
  }
  const auto p = image_place("fallocate", argument);
  return p ? fallocate_at(*p, asked, *offset, *length) : exit_usage;
}

}  // namespace xip::tool
