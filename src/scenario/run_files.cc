// The body's side: expectations, and files in short.
#include <xip/scenario/run.h>

#include <algorithm>

#include <fmt/format.h>

#include "scenario/fixture.h"

namespace xip::scenario {

void run::report(std::string_view what, std::string expected, std::string found, const location& here) const {
  throw expectation_failed{{text_of(here), std::string{what}, std::move(expected), std::move(found)}};
}

void run::fail(std::string what, location here) const { report(what, "", "", here); }
void run::skip(std::string why) const { throw not_run{std::move(why)}; }

void run::expect(bool holds, std::string_view what, location here) const {
  if (!holds) report(what, "true", "false", here);
}

void run::expect_same(const std::optional<difference>& d, location here) const {
  if (d) report(fmt::format("byte {} of the file is wrong, and {} in all", text_of(d->at), d->bytes), d->expected, d->found, here);
}

int run::create(std::string_view path, location here) const { return must(task().open(path, O_RDWR | O_CREAT, 0644), here); }

void run::put(vfs::task& task, int fd, loff_t offset, std::size_t bytes, stamp who, location here) const {
  std::vector<std::byte> data(bytes);
  fill(data, offset, who);
  expect_answer(task.pwrite(fd, data.data(), bytes, offset), bytes, "bytes written", here);
}

void run::expect_data(vfs::task& task, int fd, loff_t offset, std::size_t bytes, stamp who, location here) const {
  std::vector<std::byte> data(bytes);
  expect_answer(task.pread(fd, data.data(), bytes, offset), bytes, "bytes read", here);
  expect_same(compare(data, offset, who), here);
}

void run::expect_zeros(vfs::task& task, int fd, loff_t offset, std::size_t bytes, location here) const {
  std::vector<std::byte> data(bytes, std::byte{0xee});
  expect_answer(task.pread(fd, data.data(), bytes, offset), bytes, "bytes read", here);
  expect_same(compare_zeros(data, offset), here);
}

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
