// The host's own files.
#include <algorithm>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image_path.h"
#include "tree.h"

namespace xip::tool {
namespace {

result<> checked(int answer) { return answer == 0 ? result<>{} : fail(errno); }

// Sets the owner of a file through CHOWN(uid, gid). What may be set of its mode then: where the owner could not be set, set-id bits would lend the rights
// of whoever copies to everybody, so that they go, and the sticky bit with them, as with cp -a.
template <class Chown>
result<mode_t> give_away(const file_info& info, Chown&& chown) {
  if (chown(info.uid, info.gid) == 0) return info.mode & 07777;
  if ((errno != EPERM && errno != EINVAL) || ::geteuid() == 0) return fail(errno);
  static_cast<void>(chown(~uid_t{0}, info.gid));
  return info.mode & 0777;
}

// What only root may set is skipped by others, as cp does.
[[nodiscard]] bool is_for_root(const std::string& name) {
  return (name.starts_with("trusted.") || name.starts_with("security.")) && ::geteuid() != 0;
}

// Names as the host's calls list them.
[[nodiscard]] result<std::vector<std::string>> listed_names(const std::string& path, follow f) {
  std::vector<char> text(XATTR_LIST_MAX);
  const ssize_t bytes = (f == follow::yes ? ::listxattr : ::llistxattr)(path.c_str(), text.data(), text.size());
  if (bytes < 0 && (errno == ENOTSUP || errno == ENOSYS)) return std::vector<std::string>{};
  if (bytes < 0) return fail(errno);
  std::vector<std::string> names;
  for (ssize_t at = 0; at < bytes; at += static_cast<ssize_t>(names.back().size()) + 1) names.emplace_back(text.data() + at);
  return names;
}

// Access and modification time as the host's calls want them.
struct host_times {
  explicit host_times(const file_info& info) noexcept : both{time(info.atime), time(info.mtime)} {}
  static timespec time(const vfs::timespec64& t) noexcept { return {t.seconds, static_cast<long>(t.nanoseconds)}; }
  timespec both[2];
};

class host_file final : public tree_file {
 public:
  explicit host_file(int fd) noexcept : fd_{fd} {}
  ~host_file() override { ::close(fd_); }
  host_file(const host_file&) = delete;
  host_file& operator=(const host_file&) = delete;

  result<std::size_t> read(void* to, std::size_t bytes, loff_t pos) override {
    const ssize_t got = ::pread(fd_, to, bytes, pos);
    return counted(got < 0 && errno == ESPIPE ? ::read(fd_, to, bytes) : got);  // a pipe has but one place
  }
  result<std::size_t> write(const void* from, std::size_t bytes, loff_t pos) override { return counted(::pwrite(fd_, from, bytes, pos)); }
  result<> truncate(loff_t size) override { return checked(::ftruncate(fd_, size)); }
  result<loff_t> seek(loff_t pos, int whence) override {
    const off_t at = ::lseek(fd_, pos, whence);
    if (at < 0) return fail(errno);
    return at;
  }
  result<> set_info(const file_info& info, const attribute_lost& lost) override {
    const mode_t mode = XIP_TRY(give_away(info, [&](uid_t uid, gid_t gid) { return ::fchown(fd_, uid, gid); }));
    set_attributes(
        info, lost,
        [this](const std::string& name, const std::string& value) {
          return is_for_root(name) ? result<>{} : checked(::fsetxattr(fd_, name.c_str(), value.data(), value.size(), 0));
        },
        [this](const std::string& name) { return checked(::fremovexattr(fd_, name.c_str())); });
    XIP_TRY(checked(::fchmod(fd_, mode)));
    const host_times times{info};
    return checked(::futimens(fd_, times.both));
  }

 private:
  static result<std::size_t> counted(ssize_t n) {
    if (n < 0) return fail(errno);
    return static_cast<std::size_t>(n);
  }
  int fd_;
};

class host_tree final : public tree {
 public:
  explicit host_tree(std::vector<const image_session*> images) : images_{std::move(images)} {}

  result<file_info> info(const std::string& path, follow f) override {
    struct stat st{};
    if (::fstatat(AT_FDCWD, path.c_str(), &st, f == follow::yes ? 0 : AT_SYMLINK_NOFOLLOW) != 0) return fail(errno);
    const auto time = [](const timespec& t) { return vfs::timespec64{t.tv_sec, static_cast<std::uint32_t>(t.tv_nsec)}; };
    return file_info{st.st_dev, st.st_ino, st.st_rdev, st.st_mode,       static_cast<std::uint32_t>(st.st_nlink),
                     st.st_uid, st.st_gid, st.st_size, time(st.st_atim), time(st.st_mtim),
                     {}};
  }

  result<std::vector<std::string>> list(const std::string& path) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir{::opendir(path.c_str()), ::closedir};
    if (dir == nullptr) return fail(errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* e = ::readdir(dir.get())) {
      std::string name = e->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) return fail(errno);
    std::ranges::sort(names);
    return names;
  }

  result<std::unique_ptr<tree_file>> open(const std::string& path) override { return opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); }
  result<std::unique_ptr<tree_file>> create(const std::string& path) override {
    return opened(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  }
  result<std::unique_ptr<tree_file>> open_over(const std::string& path) override {
    return opened(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK));
  }

  // One that goes while it is read was not there.
  result<std::vector<attribute>> xattrs(const std::string& path, follow f) override {
    std::vector<attribute> all;
    for (const std::string& name : XIP_TRY(listed_names(path, f))) {
      if (name == "security.selinux") continue;
      std::string value(XATTR_SIZE_MAX, '\0');
      const ssize_t bytes = (f == follow::yes ? ::getxattr : ::lgetxattr)(path.c_str(), name.c_str(), value.data(), value.size());
      if (bytes < 0 && errno == ENODATA) continue;
      if (bytes < 0) return fail(errno);
      value.resize(static_cast<std::size_t>(bytes));
      all.push_back({name, std::move(value)});
    }
    return all;
  }

  bool is_open_image(const file_info& info) const override {
    return std::ranges::any_of(images_, [&](const image_session* image) {
      const struct stat& st = image->on_host();
      return S_ISBLK(st.st_mode) ? S_ISBLK(info.mode) && info.rdev == st.st_rdev : info.dev == st.st_dev && info.ino == st.st_ino;
    });
  }

  result<std::string> readlink(const std::string& path) override {
    std::string target(PATH_MAX, '\0');
    const ssize_t n = ::readlink(path.c_str(), target.data(), target.size());
    if (n < 0) return fail(errno);
    target.resize(static_cast<std::size_t>(n));
    return target;
  }

  result<> mkdir(const std::string& path) override { return checked(::mkdir(path.c_str(), 0700)); }
  result<> symlink(const std::string& target, const std::string& path) override { return checked(::symlink(target.c_str(), path.c_str())); }
  result<> mknod(const std::string& path, std::uint32_t mode, std::uint64_t rdev) override {
    return checked(::mknod(path.c_str(), (mode & S_IFMT) | 0600, rdev));
  }
  result<> link(const std::string& from, const std::string& to) override {
    return checked(::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0));
  }
  result<> unlink(const std::string& path) override { return checked(::unlink(path.c_str())); }

  result<> set_info(const std::string& path, const file_info& info, const attribute_lost& lost) override {
    const mode_t mode = XIP_TRY(give_away(info, [&](uid_t uid, gid_t gid) { return ::lchown(path.c_str(), uid, gid); }));
    set_attributes(
        info, lost,
        [&](const std::string& name, const std::string& value) {
          return is_for_root(name) ? result<>{} : checked(::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0));
        },
        [&](const std::string& name) { return checked(::lremovexattr(path.c_str(), name.c_str())); });
    if (!S_ISLNK(info.mode)) XIP_TRY(checked(::chmod(path.c_str(), mode)));
    const host_times times{info};
    return checked(::utimensat(AT_FDCWD, path.c_str(), times.both, AT_SYMLINK_NOFOLLOW));
  }

  std::string shown(const std::string& path) const override { return path; }

 private:
  static result<std::unique_ptr<tree_file>> opened(int fd) {
    if (fd < 0) return fail(errno);
    return std::make_unique<host_file>(fd);
  }

  std::vector<const image_session*> images_;
};

}  // namespace

std::unique_ptr<tree> make_host_tree(std::vector<const image_session*> images) { return std::make_unique<host_tree>(std::move(images)); }

}  // namespace xip::tool
