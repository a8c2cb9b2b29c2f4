// Extended attributes in tests: short ways to set and read them, and access control lists as values.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <sys/xattr.h>

#include <xip/base/endian.h>
#include <xip/vfs/posix_acl.h>
#include <xip/vfs/task.h>

#include "fs_ext4lite/tree.h"

namespace xip::ext4lite::test {

// 0, or the errno.
inline int set_xattr(vfs::task& t, std::string_view path, std::string_view name, std::string_view value, int flags = 0) {
  return errno_of(t.lsetxattr(path, name, value.data(), value.size(), flags));
}
inline int remove_xattr(vfs::task& t, std::string_view path, std::string_view name) { return errno_of(t.lremovexattr(path, name)); }
// The value, or the name of the errno.
inline std::string get_xattr(vfs::task& t, std::string_view path, std::string_view name) {
  std::string value(65536, '\0');
  const auto bytes = t.lgetxattr(path, name, value.data(), value.size());
  if (!bytes) return std::string{bytes.error().name()};
  value.resize(*bytes);
  return value;
}
// Sorted; empty where they cannot be listed.
inline std::vector<std::string> xattr_names(vfs::task& t, std::string_view path) {
  std::string names(65536, '\0');
  names.resize(t.llistxattr(path, names.data(), names.size()).value_or(0));
  std::vector<std::string> all;
  for (std::size_t at = 0; at < names.size(); at += all.back().size() + 1) all.emplace_back(names.c_str() + at);
  std::ranges::sort(all);
  return all;
}
using xattr_map = std::map<std::string, std::string>;
inline xattr_map xattrs_of(vfs::task& t, std::string_view path) {
  xattr_map all;
  for (const std::string& name : xattr_names(t, path)) all[name] = get_xattr(t, path, name);
  return all;
}

inline constexpr std::string_view acl_access_name = "system.posix_acl_access";
inline constexpr std::string_view acl_default_name = "system.posix_acl_default";

// As the attributes' value.
inline std::string acl_value(const std::vector<vfs::posix_acl_entry>& entries) {
  std::string bytes;
  const auto put = [&bytes](const auto& value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); };
  put(le32{2});
  for (const vfs::posix_acl_entry& e : entries) {
    put(le16{e.e_tag});
    put(le16{e.e_perm});
    put(le32{e.e_id});
  }
  return bytes;
}
// The owner, one user, the group, the mask, others.
inline std::string acl_for_user(std::uint32_t uid, std::uint16_t owner, std::uint16_t user, std::uint16_t group, std::uint16_t mask,
                                std::uint16_t others) {
  return acl_value({{vfs::acl_user_obj, owner},
                    {vfs::acl_user, user, uid},
                    {vfs::acl_group_obj, group},
                    {vfs::acl_mask, mask},
                    {vfs::acl_other, others}});
}

}  // namespace xip::ext4lite::test
