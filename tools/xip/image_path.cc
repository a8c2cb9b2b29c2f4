#include "image_path.h"

#include <sys/stat.h>

namespace xip::tool {
namespace {

bool exists(const std::string& path) {
  struct stat st{};
  return ::lstat(path.c_str(), &st) == 0;
}

}  // namespace

place parse_place(std::string_view argument) {
  const std::size_t colon = argument.find(":/");
  if (colon == std::string_view::npos || colon == 0) return {"", std::string{argument}};
  std::string image{argument.substr(0, colon)};
  if (!exists(image) && exists(std::string{argument})) return {"", std::string{argument}};
  return {std::move(image), std::string{argument.substr(colon + 1)}};
}

std::string base_name(std::string_view path) {
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  std::string name{slash == std::string_view::npos ? path : path.substr(slash + 1)};
  if (name == "." || name == "..") name.clear();
  return name;
}

std::string joined(std::string_view directory, std::string_view name) {
  std::string path{directory};
  if (!path.empty() && path.back() != '/') path += '/';
  return path += name;
}

}  // namespace xip::tool
