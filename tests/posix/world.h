// Where the calls of a table are made: the host's kernel, or libxip. Answers are those of Linux's system calls: not negative, or a negative errno.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/fs.h>

namespace xip::posix {

// Whom the calls are made as.
struct identity {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;
  std::optional<std::uint32_t> real_uid, real_gid;
  std::optional<std::uint64_t> capabilities;  // effective ones; none: what goes with the uid
};

struct moment {
  std::int64_t seconds = 0, nanoseconds = 0;
  friend bool operator==(const moment&, const moment&) = default;
};

struct attributes {
  std::uint32_t mode = 0, nlink = 0, uid = 0, gid = 0;
  std::int64_t size = 0;
  std::uint64_t rdev = 0;
  moment atime, mtime, ctime;
};

// What statx says beyond that.
struct description {
  std::uint64_t mask = 0;  // STATX_ bits, those of BASIC_STATS and BTIME
  std::uint64_t attributes = 0, attributes_mask = 0;
};

struct space {
  std::uint64_t type = 0, bsize = 0, frsize = 0, namelen = 0, flags = 0, fsid = 0;
  std::uint64_t bfree = 0, bavail = 0, files = 0, ffree = 0;
};

struct stretch {
  std::uint64_t logical = 0, length = 0;  // bytes of the file
  std::uint32_t flags = 0;                // FIEMAP_EXTENT_
};

struct listed {
  std::string name;
  unsigned type = 0;  // DT_
  std::int64_t cookie = 0;
};

// Times of utimensat: nanoseconds may be UTIME_NOW or UTIME_OMIT.
struct time_pair {
  std::int64_t seconds[2] = {0, 0};
  std::uint32_t nanoseconds[2] = {0, 0};
};

// Whose attributes: an open file's, or those of what PATH means.
struct xattr_subject {
  int fd = -1;  // -1: PATH counts
  std::string path;
  bool follow = true;
};

class world {
 public:
  virtual ~world() = default;

  // From here on every change of a file's times can be seen.
  virtual void tick() = 0;
  virtual void become(const identity& who) = 0;

  virtual long openat(int dir, const std::string& path, int flags, unsigned mode) = 0;
  virtual long openat2(int dir, const std::string& path, std::uint64_t flags, std::uint64_t mode, std::uint64_t resolve) = 0;
  virtual long close(int fd) = 0;
  virtual long dup(int fd) = 0;
  virtual long read(int fd, std::size_t bytes, std::string& text) = 0;
  virtual long write(int fd, const std::string& text) = 0;
  // POS -1: at the file position. The memory is on a page's boundary.
  virtual long preadv2(int fd, std::size_t bytes, std::int64_t pos, int flags, std::string& text) = 0;
  virtual long pwritev2(int fd, const std::string& text, std::int64_t pos, int flags) = 0;
  // No position: the file's own. Linux's alone.
  virtual long copy_file_range(int from, std::optional<std::int64_t> from_pos, int to, std::optional<std::int64_t> to_pos,
                               std::size_t bytes, unsigned flags) = 0;
  virtual long lseek(int fd, std::int64_t offset, int whence) = 0;
  virtual long fsync(int fd) = 0;
  virtual long fallocate(int fd, int mode, std::int64_t offset, std::int64_t length) = 0;
  virtual long fiemap(int fd, std::int64_t start, std::uint64_t length, std::vector<stretch>& all) = 0;
  virtual long getdents(int fd, std::vector<listed>& all) = 0;  // what one call brings

  virtual long mkdirat(int dir, const std::string& path, unsigned mode) = 0;
  virtual long unlinkat(int dir, const std::string& path, int flags) = 0;
  virtual long symlinkat(const std::string& target, int dir, const std::string& path) = 0;
  virtual long linkat(int from_dir, const std::string& from, int to_dir, const std::string& to, int flags) = 0;
  virtual long renameat2(int from_dir, const std::string& from, int to_dir, const std::string& to, unsigned flags) = 0;
  virtual long mknodat(int dir, const std::string& path, unsigned mode, std::uint64_t rdev) = 0;
  virtual long readlinkat(int dir, const std::string& path, std::string& text) = 0;

  virtual long fstatat(int dir, const std::string& path, int flags, attributes& out) = 0;
  virtual long statx(int dir, const std::string& path, int flags, unsigned mask, description& out) = 0;
  virtual long statfs(const std::string& path, space& out) = 0;
  virtual long fstatfs(int fd, space& out) = 0;
  virtual long faccessat(int dir, const std::string& path, int mode, int flags) = 0;
  virtual long fchmodat(int dir, const std::string& path, unsigned mode, int flags) = 0;
  virtual long fchmod(int fd, unsigned mode) = 0;
  virtual long fchownat(int dir, const std::string& path, std::uint32_t uid, std::uint32_t gid, int flags) = 0;
  virtual long fchown(int fd, std::uint32_t uid, std::uint32_t gid) = 0;
  virtual long utimensat(int dir, const std::string& path, const time_pair* times, int flags) = 0;
  virtual long futimens(int fd, const time_pair* times) = 0;
  virtual long truncate(const std::string& path, std::int64_t size) = 0;
  virtual long ftruncate(int fd, std::int64_t size) = 0;

  virtual long setxattr(const xattr_subject& of, const std::string& name, const std::string& value, int flags) = 0;
  virtual long getxattr(const xattr_subject& of, const std::string& name, std::size_t room, std::string& value) = 0;
  virtual long listxattr(const xattr_subject& of, std::size_t room, std::string& names) = 0;
  virtual long removexattr(const xattr_subject& of, const std::string& name) = 0;

  virtual long chdir(const std::string& path) = 0;
  virtual long fchdir(int fd) = 0;
  virtual long getcwd(std::string& text) = 0;
  virtual long umask(unsigned mask) = 0;
  virtual long fcntl(int fd, int command, long argument) = 0;
  virtual long lock(int fd, int command, struct flock& l) = 0;
  virtual long flock(int fd, int operation) = 0;
  virtual long ioctl(int fd, unsigned long request, void* argument) = 0;
};

}  // namespace xip::posix
