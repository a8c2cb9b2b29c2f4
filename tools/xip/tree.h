// A tree of files that a copy reads from or writes to: the host's, or an image's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/vfs/inode.h>

#include "image_session.h"

namespace xip::tool {

// What a copy keeps of a file.
struct file_info {
  std::uint64_t dev = 0, ino = 0, rdev = 0;
  std::uint32_t mode = 0, nlink = 0, uid = 0, gid = 0;
  loff_t size = 0;
  vfs::timespec64 atime, mtime;

  [[nodiscard]] bool is_dir() const noexcept { return S_ISDIR(mode); }
};

class tree_file {
 public:
  virtual ~tree_file() = default;
  virtual result<std::size_t> read(void* to, std::size_t bytes, loff_t pos) = 0;
  virtual result<std::size_t> write(const void* from, std::size_t bytes, loff_t pos) = 0;
  virtual result<> truncate(loff_t size) = 0;
  // SEEK_DATA or SEEK_HOLE; ENXIO, and EINVAL where the file system does not know.
  virtual result<loff_t> seek(loff_t pos, int whence) = 0;
  // As tree::set_info, of the file that is open whatever its name has become.
  virtual result<> set_info(const file_info& info) = 0;
};

enum class follow : std::uint8_t { no, yes };

class tree {
 public:
  virtual ~tree() = default;
  virtual result<file_info> info(const std::string& path, follow f) = 0;
  // The names in a directory, without . and .., sorted.
  virtual result<std::vector<std::string>> list(const std::string& path) = 0;
  virtual result<std::unique_ptr<tree_file>> open(const std::string& path) = 0;
  // A new file for writing; EEXIST if the name is taken, be it by a symlink.
  virtual result<std::unique_ptr<tree_file>> create(const std::string& path) = 0;
  // The file that is there, for writing, emptied; through symlinks.
  virtual result<std::unique_ptr<tree_file>> open_over(const std::string& path) = 0;
  // Has PATH itself, be it a symlink, extended attributes besides the label of SELinux? False where it cannot be known.
  virtual bool has_xattrs(const std::string& path) = 0;
  // Is the file with this INFO an image that is open here? Its contents change while it is read, and to write over it would destroy what it holds.
  [[nodiscard]] virtual bool is_open_image(const file_info& info) const = 0;
  virtual result<std::string> readlink(const std::string& path) = 0;
  virtual result<> mkdir(const std::string& path) = 0;  // mode 0700
  virtual result<> symlink(const std::string& target, const std::string& path) = 0;
  virtual result<> mknod(const std::string& path, std::uint32_t mode, std::uint64_t rdev) = 0;
  virtual result<> link(const std::string& from, const std::string& to) = 0;
  virtual result<> unlink(const std::string& path) = 0;
  // Owner (where one may), mode, times; never through a symlink.
  virtual result<> set_info(const std::string& path, const file_info& info) = 0;
  // PATH as messages show it.
  [[nodiscard]] virtual std::string shown(const std::string& path) const = 0;
};

// IMAGES are open while it is in use.
[[nodiscard]] std::unique_ptr<tree> make_host_tree(std::vector<const image_session*> images);
[[nodiscard]] std::unique_ptr<tree> make_image_tree(image_session& session, const std::string& image);

}  // namespace xip::tool
