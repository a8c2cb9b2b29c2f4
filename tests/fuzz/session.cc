#include "fuzz/session.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

namespace xip::fuzz {

void session::list(const std::string& directory, std::uint32_t depth) {
  const auto fd = task().open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd) return;
  constexpr std::uint32_t calls = 8;
  for (std::uint32_t i = 0; i < calls && paths_.size() < paths_max; ++i) {
    const auto some = task().getdents(*fd, 32);
    if (!some || some->empty()) break;
    for (const vfs::dirent& d : *some) {
      if (paths_.size() == paths_max) break;
      if (d.name == "." || d.name == "..") continue;
      paths_.push_back(directory + (directory.ends_with('/') ? "" : "/") + d.name);
      if (d.type == DT_DIR && depth != 0) list(std::string{paths_.back()}, depth - 1);
    }
  }
  (void)task().close(*fd);
}

void session::discover() {
  paths_.clear();
  paths_.emplace_back("/");
  list("/", depth_max);
}

std::string session::path() {
  const std::uint32_t which = in_.byte();
  if (which < 240) return paths_[which % paths_.size()];
  constexpr const char* odd[] = {"/lost+found", ".", "..", "/", "//a//b/", "", "/a/../b/./c", "/dir/none"};
  return odd[which % std::size(odd)];
}

std::string session::new_path() {
  const std::uint32_t which = in_.byte();
  if (which < 96) return path();
  std::string base = path();
  if (which < 128) return base + "/" + std::string(in_.byte(), 'n');
  const std::size_t slash = base.rfind('/');
  if (which < 224 && slash != base.npos) base.resize(slash);
  return fmt::format("{}/n{}", base, in_.byte());
}

int session::fd() { return fds_[in_.below(fds_.size())]; }

void session::keep(const result<int>& opened) {
  if (!opened) return;
  const int old = std::exchange(fds_[next_fd_++ % fds_.size()], *opened);
  if (old >= 0) (void)task().close(old);
}

void run_program(session& s, std::span<const std::span<const operation>> tables) {
  constexpr std::uint32_t operations_max = 96;
  std::uint32_t all = 0;
  for (const auto& table : tables) all += static_cast<std::uint32_t>(table.size());
  for (std::uint32_t i = 0; i < operations_max && !s.in().at_end(); ++i) {
    std::uint32_t which = s.in().below(all);
    for (const auto& table : tables) {
      if (which < table.size()) {
        table[which](s);
        break;
      }
      which -= static_cast<std::uint32_t>(table.size());
    }
  }
}

std::string mount_options(program_reader& in, bool read_only) {
  constexpr const char* dax[] = {"dax=inode", "dax=never", "dax=inode", "dax=always"};
  constexpr const char* errors[] = {"errors=continue", "errors=remount-ro", "errors=panic", "noatime"};
  const std::uint8_t b = in.byte();
  return fmt::format("{},{},{}{}", read_only ? "ro" : "rw", dax[b & 3], errors[b >> 2 & 3], (b & 0x70) == 0x70 ? ",sync" : "");
}

namespace {

void read_file(session& s, int fd) {
  vfs::task& t = s.task();
  std::vector<vfs::fiemap_extent> extents;
  (void)t.fiemap(fd, 0, UINT64_MAX, extents);
  (void)t.pread(fd, s.buffer(), session::buffer_bytes, 0);
  const auto stat = t.fstat(fd);
  if (!stat) return;
  (void)t.pread(fd, s.buffer(), 4096, stat->size - 100);
  (void)t.pread(fd, s.buffer(), 4096, stat->size / 2);
  loff_t at = 0;
  constexpr std::uint32_t stretches = 16;
  for (std::uint32_t i = 0; i < stretches; ++i) {
    const auto data = t.lseek(fd, at, SEEK_DATA);
    if (!data) break;
    (void)t.pread(fd, s.buffer(), 512, *data);
    const auto hole = t.lseek(fd, *data, SEEK_HOLE);
    if (!hole || *hole <= at) break;
    at = *hole;
  }
}

void read_directory(session& s, int fd) {
  constexpr std::uint32_t calls = 16;
  loff_t cookie = 0;
  for (std::uint32_t i = 0; i < calls; ++i) {
    const auto some = s.task().getdents(fd, i < 4 ? 3 : 64);
    if (!some || some->empty()) break;
    cookie = some->front().off;
  }
  (void)s.task().lseek(fd, cookie, SEEK_SET);
  (void)s.task().getdents(fd, 8);
  (void)s.task().lseek(fd, 0, SEEK_END);
}

}  // namespace

void read_everything(session& s) {
  vfs::task& t = s.task();
  for (const std::string& path : s.paths()) {
    const auto stat = t.lstat(path);
    if (!stat) continue;
    if (S_ISLNK(stat->mode)) {
      (void)t.readlink(path);
      (void)t.stat(path);
    }
    if (!S_ISREG(stat->mode) && !S_ISDIR(stat->mode)) continue;
    const auto fd = t.open(path, O_RDONLY | O_NOFOLLOW);
    if (!fd) continue;
    S_ISREG(stat->mode) ? read_file(s, *fd) : read_directory(s, *fd);
    (void)t.close(*fd);
  }
  attributes_of(s);
  (void)t.statfs("/");
}

}  // namespace xip::fuzz
