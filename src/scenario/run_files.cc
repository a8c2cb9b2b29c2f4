// The body's side: files in short.
#include <xip/scenario/run.h>

#include <algorithm>

#include <fmt/format.h>

#include "scenario/fixture.h"

namespace xip::scenario {

int run::create(std::string_view path, location here) const { return must(task().open(path, O_RDWR | O_CREAT, 0644), here); }

loff_t run::size_of(int fd, location here) const { return must(task().fstat(fd), here).size; }

std::vector<std::string> run::names_in(std::string_view path, location here) const {
  const int fd = must(task().open(path, O_RDONLY | O_DIRECTORY), here);
  std::vector<std::string> names;
  for (;;) {
    const auto some = must(task().getdents(fd), here);
    if (some.empty()) break;
    for (const vfs::dirent& entry : some)
      if (entry.name != "." && entry.name != "..") names.push_back(entry.name);
  }
  must(task().close(fd), here);
  std::ranges::sort(names);
  return names;
}

std::uint64_t run::fill_up(int fd, loff_t offset, stamp who, location here) const {
  constexpr std::size_t piece = 1 << 20;
  std::vector<std::byte> data(piece);
  std::uint64_t total = 0;
  for (std::size_t bytes = piece; bytes != 0;) {
    fill(std::span{data}.first(bytes), offset + static_cast<loff_t>(total), who);
    const auto wrote = task().pwrite(fd, data.data(), bytes, offset + static_cast<loff_t>(total));
    if (wrote) {
      expect(*wrote != 0, "a write that returns 0", here);
      total += *wrote;
    } else if (wrote.error() == ENOSPC) {
      // What is left may still hold something smaller.
      bytes = bytes > block_size() ? bytes / 2 : 0;
    } else {
      report("a write on a full file system", text_of(error{ENOSPC}), text_of(wrote.error()), here);
    }
  }
  return total;
}

}  // namespace xip::scenario
