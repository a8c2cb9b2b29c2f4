#include "image_xattrs.h"

#include <algorithm>

#include <fcntl.h>

namespace xip::tool {
namespace {

[[nodiscard]] int at_flags(follow f) noexcept { return f == follow::yes ? 0 : AT_SYMLINK_NOFOLLOW; }

}  // namespace

// Nobody else uses the image: what a first call says of a size the second one finds.
result<std::vector<std::string>> xattr_names(vfs::task& task, const std::string& path, follow f) {
  std::string text(XIP_TRY(task.listxattrat(AT_FDCWD, path, at_flags(f), nullptr, 0)), '\0');
  if (!text.empty()) text.resize(XIP_TRY(task.listxattrat(AT_FDCWD, path, at_flags(f), text.data(), text.size())));
  std::vector<std::string> names;
  for (std::size_t at = 0; at < text.size(); at += names.back().size() + 1) names.emplace_back(text.c_str() + at);
  std::ranges::sort(names);
  return names;
}

result<std::string> xattr_value_of(vfs::task& task, const std::string& path, const std::string& name, follow f) {
  std::string value(XIP_TRY(task.getxattrat(AT_FDCWD, path, at_flags(f), name, nullptr, 0)), '\0');
  if (!value.empty()) value.resize(XIP_TRY(task.getxattrat(AT_FDCWD, path, at_flags(f), name, value.data(), value.size())));
  return value;
}

result<std::vector<attribute>> xattrs_of(vfs::task& task, const std::string& path, follow f) {
  std::vector<attribute> all;
  for (const std::string& name : XIP_TRY(xattr_names(task, path, f))) all.push_back({name, XIP_TRY(xattr_value_of(task, path, name, f))});
  return all;
}

bool has_acl(vfs::task& task, const std::string& path) {
  const auto names = xattr_names(task, path, follow::no);
  return names.has_value() && std::ranges::any_of(*names, [](const std::string& n) { return is_acl_name(n); });
}

}  // namespace xip::tool
