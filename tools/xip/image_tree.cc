// The files of a mounted image, through its task's system calls.
#include <algorithm>

#include <fcntl.h>

#include "image_xattrs.h"
#include "tree.h"

namespace xip::tool {
namespace {

class image_file final : public tree_file {
 public:
  image_file(vfs::task& t, int fd) noexcept : task_{t}, fd_{fd} {}
  ~image_file() override { static_cast<void>(task_.close(fd_)); }
  image_file(const image_file&) = delete;
  image_file& operator=(const image_file&) = delete;

  result<std::size_t> read(void* to, std::size_t bytes, loff_t pos) override { return task_.pread(fd_, to, bytes, pos); }
  result<std::size_t> write(const void* from, std::size_t bytes, loff_t pos) override { return task_.pwrite(fd_, from, bytes, pos); }
  result<> truncate(loff_t size) override { return task_.ftruncate(fd_, size); }
  result<loff_t> seek(loff_t pos, int whence) override { return task_.lseek(fd_, pos, whence); }
  result<> set_info(const file_info& info, const attribute_lost& lost) override {
    XIP_TRY(task_.fchown(fd_, info.uid, info.gid));
    set_attributes(
        info, lost,
        [this](const std::string& name, const std::string& value) { return task_.fsetxattr(fd_, name, value.data(), value.size(), 0); },
        [this](const std::string& name) { return task_.fremovexattr(fd_, name); });
    XIP_TRY(task_.fchmod(fd_, info.mode & 07777));
    const vfs::timespec64 times[2] = {info.atime, info.mtime};
    return task_.futimens(fd_, times);
  }

 private:
  vfs::task& task_;
  int fd_;
};

class image_tree final : public tree {
 public:
  image_tree(vfs::task& t, std::string image) : task_{t}, image_{std::move(image)} {}

  result<file_info> info(const std::string& path, follow f) override {
    const vfs::kstat st = XIP_TRY(f == follow::yes ? task_.stat(path) : task_.lstat(path));
    return file_info{st.dev, st.ino, st.rdev, st.mode, st.nlink, st.uid, st.gid, st.size, st.atime, st.mtime, {}};
  }

  result<std::vector<std::string>> list(const std::string& path) override {
    const int fd = XIP_TRY(task_.open(path, O_RDONLY | O_DIRECTORY));
    std::vector<std::string> names;
    auto listed = read_names(fd, names);
    static_cast<void>(task_.close(fd));
    XIP_TRY(listed);
    std::ranges::sort(names);
    return names;
  }

  result<std::unique_ptr<tree_file>> open(const std::string& path) override { return opened(path, O_RDONLY); }
  result<std::unique_ptr<tree_file>> create(const std::string& path) override { return opened(path, O_WRONLY | O_CREAT | O_EXCL); }
  result<std::unique_ptr<tree_file>> open_over(const std::string& path) override { return opened(path, O_WRONLY | O_TRUNC | O_NONBLOCK); }
  result<std::vector<attribute>> xattrs(const std::string& path, follow f) override { return xattrs_of(task_, path, f); }
  bool is_open_image(const file_info&) const override { return false; }
  result<std::string> readlink(const std::string& path) override { return task_.readlink(path); }
  result<> mkdir(const std::string& path) override { return task_.mkdir(path, 0700); }
  result<> symlink(const std::string& target, const std::string& path) override { return task_.symlink(target, path); }
  result<> mknod(const std::string& path, std::uint32_t mode, std::uint64_t rdev) override {
    return task_.mknod(path, (mode & S_IFMT) | 0600, rdev);
  }
  result<> link(const std::string& from, const std::string& to) override { return task_.link(from, to); }
  result<> unlink(const std::string& path) override { return task_.unlink(path); }

  result<> set_info(const std::string& path, const file_info& info, const attribute_lost& lost) override {
    XIP_TRY(task_.lchown(path, info.uid, info.gid));
    set_attributes(
        info, lost,
        [&](const std::string& name, const std::string& value) { return task_.lsetxattr(path, name, value.data(), value.size(), 0); },
        [&](const std::string& name) { return task_.lremovexattr(path, name); });
    if (!S_ISLNK(info.mode)) XIP_TRY(task_.chmod(path, info.mode & 07777));
    const vfs::timespec64 times[2] = {info.atime, info.mtime};
    return task_.utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
  }

  std::string shown(const std::string& path) const override { return image_ + ":" + path; }

 private:
  // A name with a slash in it can only be damage; handing it on would lead a copy out of its target.
  result<> read_names(int fd, std::vector<std::string>& names) {
    for (;;) {
      auto entries = XIP_TRY(task_.getdents(fd));
      if (entries.empty()) return {};
      for (auto& e : entries) {
        if (e.name == "." || e.name == "..") continue;
        if (e.name.empty() || e.name.find('/') != std::string::npos) return fail(EUCLEAN);
        names.push_back(std::move(e.name));
      }
    }
  }
  result<std::unique_ptr<tree_file>> opened(const std::string& path, int flags) {
    const int fd = XIP_TRY(task_.open(path, flags, 0600));
    return std::make_unique<image_file>(task_, fd);
  }

  vfs::task& task_;
  std::string image_;
};

}  // namespace

std::unique_ptr<tree> make_image_tree(image_session& session, const std::string& image) {
  return std::make_unique<image_tree>(session.task(), image);
}

}  // namespace xip::tool
