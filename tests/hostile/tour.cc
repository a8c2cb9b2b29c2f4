#include "hostile/tour.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <xip/fs_ext4lite/ext4lite.h>

namespace xip::hostile {
namespace {

constexpr std::size_t paths_max = 120;
constexpr int depth_max = 8;
constexpr const char* access_list = "system.posix_acl_access";
constexpr const char* default_list = "system.posix_acl_default";
// As user space writes it: the owner, user 1000, the group, the mask, others.
constexpr std::string_view list_of_one{
    "\2\0\0\0"
    "\1\0\6\0\xff\xff\xff\xff"
    "\2\0\6\0\xe8\3\0\0"
    "\4\0\4\0\xff\xff\xff\xff"
    "\x10\0\6\0\xff\xff\xff\xff"
    "\x20\0\4\0\xff\xff\xff\xff",
    44};
// Whatever is damaged, these are all that a call on attributes has to say. ENOENT: a listed name that lies where nobody looks for it.
template <class Result>
void expect_answer(const Result& done, const std::string& path, std::string_view name) {
  constexpr std::array answers{ENOENT, ENODATA, ERANGE, EOPNOTSUPP, EPERM, EACCES, ENOSPC, EROFS, EUCLEAN, EIO};
  EXPECT_TRUE(done || std::ranges::find(answers, done.error().number()) != answers.end())
      << path << " " << name << ": " << done.error().name();
}

constexpr std::uint32_t calls_max = 600;  // getdents of one directory: it ends, or something goes in circles

}  // namespace

tour::~tour() { umount(); }

bool tour::mount(std::string_view options) {
  vfs::kernel_options with;
  with.log = [this](vfs::log_level level, std::string_view text) {
    error_logged_ = error_logged_ || level == vfs::log_level::error;
    (log_ += text) += '\n';
  };
  kernel_ = std::make_unique<vfs::kernel>(std::move(with));
  EXPECT_TRUE(kernel_->register_filesystem(ext4lite_file_system()));
  if (auto done = kernel_->mount("ext4", device_, "/", options); !done) {
    failure_ = done.error().message;
    EXPECT_NE(failure_, "") << "refused without a word: " << done.error().code.name();
    return false;
  }
  auto task = kernel_->make_task();
  EXPECT_TRUE(task.has_value());
  task_ = *task;
  return true;
}

void tour::umount() {
  if (task_ != nullptr) kernel_->exit_task(std::exchange(task_, nullptr));
  if (kernel_ != nullptr && failure_.empty()) (void)kernel_->umount("/");
  kernel_.reset();
}

void tour::list(const std::string& directory, int depth) {
  const auto fd = task_->open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd) return;
  std::uint32_t calls = 0;
  for (;; ++calls) {
    const auto some = task_->getdents(*fd, 40);
    if (!some || some->empty()) break;
    ASSERT_LT(calls, calls_max) << directory << " has no end";
    for (const vfs::dirent& d : *some) {
      if (d.name == "." || d.name == ".." || paths_.size() >= paths_max) continue;
      paths_.push_back(directory + (directory == "/" ? "" : "/") + d.name);
      if (d.type == DT_DIR && depth < depth_max) list(std::string{paths_.back()}, depth + 1);
    }
  }
  (void)task_->close(*fd);
}

void tour::read_one(const std::string& path) {
  const auto stat = task_->lstat(path);
  if (!stat) return;
  if (S_ISLNK(stat->mode)) (void)task_->readlink(path);
  (void)task_->stat(path);
  (void)read_attributes(path);
  if (!S_ISREG(stat->mode) && !S_ISDIR(stat->mode)) return;
  const auto fd = task_->open(path, O_RDONLY | O_NOFOLLOW);
  if (!fd) return;
  std::vector<vfs::fiemap_extent> extents;
  (void)task_->fiemap(*fd, 0, UINT64_MAX, extents);
  std::array<std::byte, 16384> buffer;
  if (S_ISREG(stat->mode)) {
    constexpr std::uint32_t stretches = 500;
    loff_t at = 0;
    for (std::uint32_t i = 0; i < stretches; ++i) {
      const auto data = task_->lseek(*fd, at, SEEK_DATA);
      if (!data) break;
      (void)task_->pread(*fd, buffer.data(), buffer.size(), *data);
      const auto hole = task_->lseek(*fd, *data, SEEK_HOLE);
      if (!hole || *hole <= at) break;
      at = *hole;
    }
    (void)task_->pread(*fd, buffer.data(), buffer.size(), 0);
    (void)task_->pread(*fd, buffer.data(), buffer.size(), stat->size - 1);
  }
  (void)task_->close(*fd);
}

void tour::read_everything() {
  paths_ = {"/"};
  list("/", 0);
  for (const std::string& path : paths_) read_one(path);
  (void)task_->stat("/dir/sub/../..");
  (void)task_->statfs("/");
}

// Each by its name, the lists also where no name is listed; with no room, with too little and with enough.
std::vector<std::string> tour::read_attributes(const std::string& path) {
  std::vector<std::string> names{access_list, default_list};
  std::vector<char> room(XATTR_SIZE_MAX);
  expect_answer(task_->llistxattr(path, room.data(), 1), path, "(list)");
  const auto bytes_listed = task_->llistxattr(path, room.data(), room.size());
  expect_answer(bytes_listed, path, "(list)");
  const std::string_view listed{room.data(), bytes_listed.value_or(0)};
  for (std::size_t at = 0; at < listed.size(); at += names.back().size() + 1)
    names.emplace_back(listed.substr(at, listed.find('\0', at) - at));
  for (const std::string& name : names)
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, room.size()})
      expect_answer(task_->lgetxattr(path, name, room.data(), bytes), path, name);
  return names;
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
  for (const std::string& name : read_attributes(path)) expect_answer(task_->lremovexattr(path, name), path, name);
}

void tour::change_one(const std::string& path) {
  constexpr std::uint32_t bytes = 3000;
  const std::array<char, bytes> text{'x'};
  if (const auto fd = task_->open(path, O_RDWR | O_NOFOLLOW)) {
    (void)task_->pwrite(*fd, text.data(), text.size(), 100);
    (void)task_->fallocate(*fd, 0, 5000, 9000);
    (void)task_->fallocate(*fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1024, 2048);
    (void)task_->ftruncate(*fd, 700);
    (void)task_->fsync(*fd);
    (void)task_->close(*fd);
  }
  (void)task_->lchown(path, 1000, 1000);
  (void)task_->rename(path, path + ".renamed");
  (void)task_->rename(path + ".renamed", path);
}

void tour::change_everything() {
  (void)task_->mkdir("/made", 0755);
  (void)task_->setxattr("/made", default_list, list_of_one.data(), list_of_one.size(), 0);
  for (const char* directory : {"/", "/made", "/dir", "/dir/sub", "/names"}) {
    const std::string base = std::string{directory} + "/fresh";
    for (int i = 0; i < 12; ++i) (void)task_->mknod(base + std::to_string(i) + std::string(60, 'n'), S_IFREG | 0644, 0);
    if (const auto fd = task_->creat(base, 0644)) {
      const std::vector<char> text(20000, 'y');
      (void)task_->write(*fd, text.data(), text.size());
      (void)task_->close(*fd);
    }
    (void)task_->symlink(std::string(100, 't'), base + ".link");
  }
  for (const std::string& path : paths_) change_one(path);
  for (const std::string& path : paths_) change_attributes(path);
  (void)kernel_->sync();
  // Every other one keeps them until it goes.
  for (std::size_t i = 0; i < paths_.size(); i += 2) remove_attributes(paths_[i]);
  for (auto path = paths_.rbegin(); path != paths_.rend(); ++path)
    if (!task_->unlink(*path)) (void)task_->rmdir(*path);
}

void tour::expect_errors_obeyed(std::string_view option) {
  if (error_logged_) {
    const auto change = task_->chmod("/", 0700);
    const int answer = change ? 0 : change.error().number();
    const int expected = option == "errors=remount-ro" ? EROFS : option == "errors=panic" ? EIO : answer;
    EXPECT_EQ(answer, expected) << option << ", after this log: " << log_;
    EXPECT_FALSE(option == "errors=continue" && answer == EROFS) << log_;
  }
  umount();
}

}  // namespace xip::hostile
