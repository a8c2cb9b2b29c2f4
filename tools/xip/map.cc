// xip map: where the contents of a file lie, as filefrag -v.
#include <vector>

#include <fcntl.h>
#include <linux/fiemap.h>

#include "command.h"
#include "verbs.h"

namespace xip::tool {
namespace {

std::string flags_of(std::uint32_t flags) {
  constexpr struct {
    std::uint32_t bit;
    const char* name;
  } names[] = {
      {FIEMAP_EXTENT_LAST, "last"},          {FIEMAP_EXTENT_UNWRITTEN, "unwritten"}, {FIEMAP_EXTENT_MERGED, "merged"},
      {FIEMAP_EXTENT_UNKNOWN, "unknown"},    {FIEMAP_EXTENT_DELALLOC, "delalloc"},   {FIEMAP_EXTENT_NOT_ALIGNED, "not_aligned"},
      {FIEMAP_EXTENT_DATA_INLINE, "inline"}, {FIEMAP_EXTENT_SHARED, "shared"},
  };
  std::string text;
  for (const auto& n : names) {
    if ((flags & n.bit) == 0) continue;
    if (!text.empty()) text += ',';
    text += n.name;
  }
  return text;
}

result<> print_map(vfs::task& task, const place& p) {
  const int fd = XIP_TRY(task.open(p.path, O_RDONLY | O_NONBLOCK));
  const vfs::kstat stat = XIP_TRY(task.fstat(fd));
  std::vector<vfs::fiemap_extent> extents;
  XIP_TRY(task.fiemap(fd, 0, UINT64_MAX, extents));
  XIP_TRY(task.close(fd));
  const std::uint64_t block = stat.blksize;
  fmt::print("{}: {} bytes, {} extent{}, blocks of {} bytes\n", for_output(p.path), stat.size, extents.size(),
             extents.size() == 1 ? "" : "s", block);
  if (extents.empty()) return {};
  fmt::print("{:>4} {:>21} {:>25} {:>9}  flags\n", "#", "blocks in the file", "blocks on the device", "length");
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const auto& e = extents[i];
    const std::uint64_t logical = static_cast<std::uint64_t>(e.logical) / block, physical = e.physical / block, length = e.length / block;
    fmt::print("{:>4} {:>10}..{:>9} {:>12}..{:>11} {:>9}  {}\n", i, logical, logical + length - 1, physical, physical + length - 1, length,
               flags_of(e.flags));
  }
  return {};
}

}  // namespace

int map_verb(int argc, char** argv) {
  CLI::App app{"Show where the contents of files lie: their extents, with flags", "map"};
  std::vector<std::string> arguments;
  app.add_option("IMAGE:/PATH", arguments, "regular files or directories")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  const auto places = places_of_one_image("map", arguments);
  if (!places) return exit_usage;
  return with_image("map", places->front().image, image_access::read, [&](image_session& session) {
    int code = exit_ok;
    for (const place& p : *places) {
      if (const auto printed = print_map(session.task(), p); !printed.has_value()) {
        complain("map", p.shown(), printed.error());
        code = exit_failed;
      }
    }
    return code;
  });
}

}  // namespace xip::tool
