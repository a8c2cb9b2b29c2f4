// A tour's calls that only read. Each that succeeds is compared with the undamaged image.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xip/base/units.h>
#include <xip/mm/mm.h>

#include "hostile/answers.h"
#include "hostile/tour.h"

namespace xip::hostile {
namespace {

constexpr std::size_t read_bytes = 16384;
constexpr loff_t mapped_bytes_max = loff_t{1} << 20;  // of a file that may say that it is huge

}  // namespace

void tour::read_one(const std::string& path) {
  const auto stat = task_->lstat(path);
  judge_.node(path, stat);
  if (!stat) return;
  if (S_ISLNK(stat->mode)) judge_.target(path, task_->readlink(path));
  (void)task_->stat(path);
  (void)read_attributes(path, &judge_);
  if (!S_ISREG(stat->mode) && !S_ISDIR(stat->mode)) return;
  if (const auto fd = task_->open(path, O_RDONLY | O_NOFOLLOW)) {
    std::vector<vfs::fiemap_extent> extents;
    (void)task_->fiemap(*fd, 0, UINT64_MAX, extents);
    (void)task_->close(*fd);
  }
  if (S_ISREG(stat->mode)) read_regular(path, stat->size);
}

void tour::read_regular(const std::string& path, loff_t size) {
  if (const auto fd = task_->open(path, O_RDONLY | O_NOFOLLOW)) {
    const open_file f{path, *fd, size};
    read_stretches(f);
    read_through(f);
    (void)read_at(f, size - 1);
    if (size > 0) load_mapped(f, 0, static_cast<std::size_t>(std::min(size, mapped_bytes_max)));
    const loff_t last_page = (size - 1) & -static_cast<loff_t>(page_size);
    if (size > mapped_bytes_max) load_mapped(f, last_page, static_cast<std::size_t>(size - last_page));
    (void)task_->close(*fd);
  }
  if (const auto fd = task_->open(path, O_RDONLY | O_NOFOLLOW | O_DIRECT)) {
    read_through({path, *fd, size});
    (void)task_->close(*fd);
  }
}

// How far behind POS it is worth while to go on: what was read, or, where that is an error, as much. 0: at the end.
std::size_t tour::read_at(const open_file& f, loff_t pos) {
  std::array<char, read_bytes> buffer;
  const auto got = task_->pread(f.fd, buffer.data(), buffer.size(), pos);
  if (!got) return buffer.size();
  judge_.bytes(f.path, pos, {buffer.data(), *got}, "read");
  return *got;
}

// As far as the undamaged file goes, and once behind it.
void tour::read_through(const open_file& f) {
  const loff_t end = judge_.size_of(f.path);
  for (loff_t at = 0; at <= end;) {
    const std::size_t step = read_at(f, at);
    if (step == 0) break;
    at += static_cast<loff_t>(step);
  }
}

// From data to data, as a program copies a file with holes.
void tour::read_stretches(const open_file& f) {
  constexpr std::uint32_t stretches = 500;
  loff_t at = 0;
  for (std::uint32_t i = 0; i < stretches; ++i) {
    const auto data = task_->lseek(f.fd, at, SEEK_DATA);
    if (data || data.error() == ENXIO) judge_.hole(f.path, at, data.value_or(INT64_MAX));
    if (!data) break;
    (void)read_at(f, *data);
    const auto hole = task_->lseek(f.fd, *data, SEEK_HOLE);
    if (!hole || *hole <= at) break;
    at = *hole;
  }
}

// What a program finds that maps BYTES bytes from FROM on. Files that have no window cannot be mapped.
void tour::load_mapped(const open_file& f, loff_t from, std::size_t bytes) {
  const auto at = mm::mmap(*task_, 0, bytes, PROT_READ, MAP_SHARED, f.fd, from);
  if (!at) return;
  std::array<char, page_size> page;
  for (std::size_t done = 0; done < bytes; done += page.size()) {
    const std::size_t piece = std::min(page.size(), bytes - done);
    const auto loaded = mm::load(*task_, *at + done, page.data(), piece);
    expect_done_or_sigbus(loaded, f.path);
    if (loaded) judge_.bytes(f.path, from + static_cast<loff_t>(done), {page.data(), piece}, "loaded");
  }
  EXPECT_TRUE(mm::munmap(*task_, *at, bytes)) << f.path;
}

// Each by its name, the lists and those that should be there also where no name is listed; with no room, with too little and with enough.
std::vector<std::string> tour::read_attributes(const std::string& path, contents_judge* judge) {
  std::vector<char> room(XATTR_SIZE_MAX);
  expect_answer(task_->llistxattr(path, room.data(), 1), path, "(list)");
  const auto bytes_listed = task_->llistxattr(path, room.data(), room.size());
  expect_answer(bytes_listed, path, "(list)");
  std::vector<std::string> names = attribute_names({room.data(), bytes_listed.value_or(0)});
  if (judge != nullptr)
    for (std::string& name : judge->attributes_of(path))
      if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  for (const std::string& name : names) {
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}})
      expect_answer(task_->lgetxattr(path, name, room.data(), bytes), path, name);
    const auto bytes_read = task_->lgetxattr(path, name, room.data(), room.size());
    expect_answer(bytes_read, path, name);
    if (judge != nullptr) judge->attribute(path, name, bytes_read, room.data());
  }
  return names;
}

}  // namespace xip::hostile
