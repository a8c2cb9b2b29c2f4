// A tree of files that a copy reads from or writes to: the host's, or an image's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/vfs/inode.h>

#include "image_session.h"

namespace xip::tool {

struct attribute {
  std::string name, value;
};
inline constexpr std::string_view acl_access_name = "system.posix_acl_access";
inline constexpr std::string_view acl_default_name = "system.posix_acl_default";
[[nodiscard]] constexpr bool is_acl_name(std::string_view name) noexcept { return name == acl_access_name || name == acl_default_name; }
// An attribute could not be kept.
using attribute_lost = std::function<void(const std::string& name, error why)>;

// What a copy keeps of a file.
struct file_info {
  std::uint64_t dev = 0, ino = 0, rdev = 0;
  std::uint32_t mode = 0, nlink = 0, uid = 0, gid = 0;
  loff_t size = 0;
  vfs::timespec64 atime, mtime;
  std::vector<attribute> xattrs;  // filled in by tree::xattrs

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
  virtual result<> set_info(const file_info& info, const attribute_lost& lost) = 0;
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
  // Extended attributes, access control lists among them, besides the label of SELinux; none where the file system has none.
  virtual result<std::vector<attribute>> xattrs(const std::string& path, follow f) = 0;
  // Is the file with this INFO an image that is open here? Its contents change while it is read, and to write over it would destroy what it holds.
  [[nodiscard]] virtual bool is_open_image(const file_info& info) const = 0;
  virtual result<std::string> readlink(const std::string& path) = 0;
  virtual result<> mkdir(const std::string& path) = 0;  // mode 0700
  virtual result<> symlink(const std::string& target, const std::string& path) = 0;
  virtual result<> mknod(const std::string& path, std::uint32_t mode, std::uint64_t rdev) = 0;
  virtual result<> link(const std::string& from, const std::string& to) = 0;
  virtual result<> unlink(const std::string& path) = 0;
  // Owner (where one may), attributes, mode, times; never through a symlink. A list that the file has inherited goes if INFO has none. What is LOST of
  // the attributes is said and does not keep the rest from being set.
  virtual result<> set_info(const std::string& path, const file_info& info, const attribute_lost& lost) = 0;
  // PATH as messages show it.
  [[nodiscard]] virtual std::string shown(const std::string& path) const = 0;
};

// For set_info, with the owner set and the mode not yet: SET(name, value) and REMOVE(name) change the file's attributes. Lists come last: they may forbid the
// rest.
template <class Set, class Remove>
void set_attributes(const file_info& info, const attribute_lost& lost, Set&& set, Remove&& remove) {
  const auto set_those = [&](bool lists) {
    for (const attribute& a : info.xattrs)
      if (is_acl_name(a.name) == lists)
        if (const result<> done = set(a.name, a.value); !done.has_value()) lost(a.name, done.error());
  };
  set_those(false);
  if (S_ISLNK(info.mode)) return;
  for (const std::string_view list : {acl_access_name, acl_default_name}) {
    const bool kept = std::ranges::find(info.xattrs, list, &attribute::name) != info.xattrs.end();
    if (!kept && (list == acl_access_name || info.is_dir())) static_cast<void>(remove(std::string{list}));
  }
  set_those(true);
}

// IMAGES are open while it is in use.
[[nodiscard]] std::unique_ptr<tree> make_host_tree(std::vector<const image_session*> images);
[[nodiscard]] std::unique_ptr<tree> make_image_tree(image_session& session, const std::string& image);

}  // namespace xip::tool
