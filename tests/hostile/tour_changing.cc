// A tour's calls that make, change and remove.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <xip/base/units.h>
#include <xip/mm/mm.h>

#include "hostile/answers.h"
#include "hostile/tour.h"

namespace xip::hostile {
namespace {

// As user space writes it: the owner, user 1000, the group, the mask, others.
constexpr std::string_view list_of_one{
    "\2\0\0\0"
    "\1\0\6\0\xff\xff\xff\xff"
    "\2\0\6\0\xe8\3\0\0"
    "\4\0\4\0\xff\xff\xff\xff"
    "\x10\0\6\0\xff\xff\xff\xff"
    "\x20\0\4\0\xff\xff\xff\xff",
    44};

}  // namespace

// ---- new files

void tour::make_files_in(const std::string& directory) {
  const std::string base = directory + "/fresh";
  for (int i = 0; i < 12; ++i) (void)task_->mknod(base + std::to_string(i) + std::string(60, 'n'), S_IFREG | 0644, 0);
  if (const auto fd = task_->creat(base, 0644)) {
    const std::vector<char> text(20000, 'y');
    (void)task_->write(*fd, text.data(), text.size());
    (void)task_->close(*fd);
  }
  (void)task_->symlink(std::string(100, 't'), base + ".link");
}

// Written back in the end, so that it shows where it lies.
void tour::make_files() {
  (void)task_->mkdir("/made", 0755);
  (void)task_->setxattr("/made", default_list, list_of_one.data(), list_of_one.size(), 0);
  for (const char* directory : {"/", "/made", "/dir", "/dir/sub", "/names"}) make_files_in(directory);
  (void)kernel_->sync();
}

// ---- changes

// Ranges get blocks, lose them, become zeros, come and go. What comes and goes is whole blocks of any size.
void tour::change_ranges(int fd) {
  (void)task_->fallocate(fd, 0, 5000, 9000);
  (void)task_->fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1024, 2048);
  (void)task_->fallocate(fd, FALLOC_FL_ZERO_RANGE, 3000, 6000);
  (void)task_->fallocate(fd, FALLOC_FL_INSERT_RANGE, 4096, 8192);
  (void)task_->fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 4096, 4096);
  std::vector<vfs::fiemap_extent> extents;
  (void)task_->fiemap(fd, 0, UINT64_MAX, extents);
}

// Into a page that holds something, and into one that may be a hole: what was stored is what is loaded.
void tour::store_mapped(const std::string& path, int fd) {
  constexpr std::size_t bytes = 4 * page_size;
  const auto at = mm::mmap(*task_, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (!at) return;
  const std::string text(3000, 'm');
  for (const std::size_t offset : {std::size_t{100}, 2 * page_size}) {
    const auto stored = mm::store(*task_, *at + offset, text.data(), text.size());
    expect_done_or_sigbus(stored, path);
    std::string back(text.size(), '\0');
    const auto loaded = mm::load(*task_, *at + offset, back.data(), back.size());
    expect_done_or_sigbus(loaded, path);
    EXPECT_TRUE(!stored || !loaded || back == text) << path << ": not what was stored at " << offset;
  }
  (void)mm::msync(*task_, *at, bytes, MS_SYNC);
  EXPECT_TRUE(mm::munmap(*task_, *at, bytes)) << path;
}

void tour::change_one(const std::string& path) {
  constexpr std::uint32_t bytes = 3000;
  const std::array<char, bytes> text{'x'};
  if (const auto fd = task_->open(path, O_RDWR | O_NOFOLLOW)) {
    (void)task_->pwrite(*fd, text.data(), text.size(), 100);
    change_ranges(*fd);
    store_mapped(path, *fd);
    (void)task_->ftruncate(*fd, 700);
    (void)task_->fsync(*fd);
    (void)task_->close(*fd);
  }
  (void)task_->lchown(path, 1000, 1000);
  (void)task_->rename(path, path + ".renamed");
  (void)task_->rename(path + ".renamed", path);
}

// In the inode, in the block and over both; what is there, and what is new.
void tour::change_attributes(const std::string& path) {
  constexpr std::size_t in_inode = 8, in_block = 300, nowhere = 5000;
  const std::string value(nowhere, 'v');
  for (const char* name : {"user.small", "user.large", "trusted.new"})
    for (const std::size_t bytes : {in_inode, in_block, nowhere, in_inode})
      expect_answer(task_->lsetxattr(path, name, value.data(), bytes, 0), path, name);
  expect_answer(task_->lsetxattr(path, "security.mark", value.data(), in_block, XATTR_REPLACE), path, "security.mark");
  for (const char* name : {access_list, default_list})
    expect_answer(task_->lsetxattr(path, name, list_of_one.data(), list_of_one.size(), 0), path, name);
}

void tour::remove_attributes(const std::string& path) {
  for (const std::string& name : read_attributes(path, nullptr)) expect_answer(task_->lremovexattr(path, name), path, name);
}

void tour::change_everything() {
  for (const std::string& path : paths_) change_one(path);
  for (const std::string& path : paths_) change_attributes(path);
  (void)kernel_->sync();
  // Every other one keeps them until it goes.
  for (std::size_t i = 0; i < paths_.size(); i += 2) remove_attributes(paths_[i]);
  for (auto path = paths_.rbegin(); path != paths_.rend(); ++path)
    if (!task_->unlink(*path)) (void)task_->rmdir(*path);
}

}  // namespace xip::hostile
