// Extended attributes through a task's system calls; none of them follows a symlink unless told so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <xip/vfs/task.h>

#include "tree.h"

namespace xip::tool {

[[nodiscard]] result<std::vector<std::string>> xattr_names(vfs::task& task, const std::string& path, follow f);
[[nodiscard]] result<std::string> xattr_value_of(vfs::task& task, const std::string& path, const std::string& name, follow f);
[[nodiscard]] result<std::vector<attribute>> xattrs_of(vfs::task& task, const std::string& path, follow f);
// The file has an access control list, or a default one.
[[nodiscard]] bool has_acl(vfs::task& task, const std::string& path);

}  // namespace xip::tool
